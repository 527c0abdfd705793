#ifndef WSLINE_CLIBEDIT_H
#define WSLINE_CLIBEDIT_H

#include <fcntl.h>
#include <histedit.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
// openpty.
#if __has_include(<pty.h>)
#include <pty.h>
#else
#include <util.h>
#endif

_Static_assert(sizeof(wchar_t) == sizeof(int32_t), "the line's wide characters are handled as 32-bit code points");

// Wide strings cross this header as `int32_t`: Swift imports `wchar_t` as `Unicode.Scalar`, which must not hold a value outside Unicode, and libedit's buffer may.

// el_wset is variadic, and Swift can't call a C variadic: one wrapper for each option that is set.
static inline int wsline_el_set_editor(EditLine *el, const int32_t *name) {
    return el_wset(el, EL_EDITOR, (const wchar_t *)name);
}

static inline int wsline_el_set_getcfn(EditLine *el, int (*function)(EditLine *, wchar_t *)) {
    return el_wset(el, EL_GETCFN, function);
}

static inline int wsline_el_set_clientdata(EditLine *el, void *data) {
    return el_wset(el, EL_CLIENTDATA, data);
}

static inline int wsline_el_add_function(EditLine *el, const int32_t *name, const int32_t *help, unsigned char (*function)(EditLine *, int)) {
    return el_wset(el, EL_ADDFN, (const wchar_t *)name, (const wchar_t *)help, function);
}

static inline int wsline_el_bind(EditLine *el, const int32_t *key, const int32_t *command) {
    return el_wset(el, EL_BIND, (const wchar_t *)key, (const wchar_t *)command, NULL);
}

// As wsline_el_bind, for vi's command map.
static inline int wsline_el_bind_alternative(EditLine *el, const int32_t *key, const int32_t *command) {
    return el_wset(el, EL_BIND, L"-a", (const wchar_t *)key, (const wchar_t *)command, NULL);
}

static inline int wsline_el_set_history(EditLine *el, HistoryW *history) {
    return el_wset(el, EL_HIST, history_w, history);
}

// el_wget is variadic too.
static inline void *wsline_el_get_clientdata(EditLine *el) {
    void *data = NULL;
    return el_wget(el, EL_CLIENTDATA, &data) == 0 ? data : NULL;
}

static inline int wsline_el_is_vi(EditLine *el) {
    const wchar_t *name = NULL;
    return el_wget(el, EL_EDITOR, &name) == 0 && name != NULL && wcscmp(name, L"vi") == 0;
}

// history_w is variadic.
static inline int wsline_history_set_size(HistoryW *history, int size) {
    HistEventW event;
    return history_w(history, &event, H_SETSIZE, size);
}

static inline int wsline_history_enter(HistoryW *history, const int32_t *line) {
    HistEventW event;
    return history_w(history, &event, H_ENTER, (const wchar_t *)line);
}

// Without the import's Unicode.Scalar, see above.
static inline int wsline_el_insert(EditLine *el, const int32_t *text) {
    return el_winsertstr(el, (const wchar_t *)text);
}

static inline int wsline_el_replace(EditLine *el, const int32_t *text) {
    return el_wreplacestr(el, (const wchar_t *)text);
}

// <wchar.h> hides wcwidth unless _XOPEN_SOURCE is set, which the importer doesn't do on Linux. It is in the C library of every platform that libedit runs on.
extern int wcwidth(wchar_t);
static inline int wsline_wcwidth(int32_t scalar) { return wcwidth((wchar_t)scalar); }

// ioctl is variadic.
static inline int wsline_window_size(int descriptor, struct winsize *size) {
    return ioctl(descriptor, TIOCGWINSZ, size);
}

// The handler's field in struct sigaction lies in a union of another name on each platform, and SIG_DFL is a cast that Swift doesn't import everywhere: a null pointer on each of them.
static inline int wsline_set_signal_handler(int signal, void (*handler)(int), int flags, struct sigaction *previous) {
    struct sigaction action = {0};
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    return sigaction(signal, &action, previous);
}

static inline int wsline_signal_is_default(int signal) {
    struct sigaction action = {0};
    return sigaction(signal, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL;
}

#endif
