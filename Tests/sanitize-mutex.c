// Lets ThreadSanitizer see a Mutex of Swift's Synchronization that two threads want at once; Tests/sanitize links it into each program.
//
// Locking and unlocking are compiled into their caller, and with it for ThreadSanitizer. Where a thread has to wait, though, both go through the library,
// which isn't built so: whatever is done under the lock would then be reported as a race. Telling it is exact, where suppressing reports would hide real ones.
#define _GNU_SOURCE // RTLD_NEXT
#include <dlfcn.h>
#include <stdint.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

// Synchronization._MutexHandle._lockSlow(_: UInt32) and _unlockSlow(), whose self is the lock's word.
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
typedef SWIFT void LockSlow(uint32_t, SELF void *);
typedef SWIFT void UnlockSlow(SELF void *);
SWIFT void lock_slow(uint32_t, SELF void *) __asm__(LOCK_SLOW);
SWIFT void unlock_slow(SELF void *) __asm__(UNLOCK_SLOW);

void __tsan_acquire(void *);
void __tsan_release(void *);

SWIFT void lock_slow(uint32_t thread, SELF void *word) {
    ((LockSlow *)dlsym(RTLD_NEXT, LOCK_SLOW))(thread, word);
    __tsan_acquire(word);
}

SWIFT void unlock_slow(SELF void *word) {
    __tsan_release(word);
    ((UnlockSlow *)dlsym(RTLD_NEXT, UNLOCK_SLOW))(word);
}
