// measure: runs a command and writes what it took to a descriptor: "seconds cpu_seconds peak_bytes status".
//
//     measure DESCRIPTOR COMMAND [ARGUMENT...]
//
// A child's peak memory counts what its parent held when it was forked, so the parent that measures must be a small one:
// Python would hide any program that takes less than itself.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc < 3) return 64;
    int report = atoi(argv[1]);
    fcntl(report, F_SETFD, FD_CLOEXEC);
    double started = now();
    pid_t child = fork();
    if (child == 0) {
        execv(argv[2], argv + 2);
        _exit(127);
    }
    close(STDIN_FILENO);  // the command alone holds its pipes
    close(STDOUT_FILENO);
    int status = 0;
    struct rusage usage;
    if (wait4(child, &status, 0, &usage) < 0) return 71;
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
#ifdef __APPLE__
    long peak = usage.ru_maxrss;
#else
    long peak = usage.ru_maxrss * 1024;
#endif
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    dprintf(report, "%.6f %.6f %ld %d\n", now() - started, cpu, peak, code);
    return 0;
}
