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

// el_wget is variadic too.
static inline void *wsline_el_get_clientdata(EditLine *el) {
    void *data = NULL;
    return el_wget(el, EL_CLIENTDATA, &data) == 0 ? data : NULL;
}

static inline int wsline_el_is_vi(EditLine *el) {
    const wchar_t *name = NULL;
    return el_wget(el, EL_EDITOR, &name) == 0 && name != NULL && wcscmp(name, L"vi") == 0;
}

// Without the import's Unicode.Scalar, see above.
static inline int wsline_el_insert(EditLine *el, const int32_t *text) {
    return el_winsertstr(el, (const wchar_t *)text);
}

static inline int wsline_el_replace(EditLine *el, const int32_t *text) {
    return el_wreplacestr(el, (const wchar_t *)text);
}

// el_wreplacestr does nothing with an empty string, and el_deletestr puts what it deletes in the kill buffer. The line that el_wline returns is the editor's own.
static inline void wsline_el_clear(EditLine *el) {
    LineInfoW *line = (LineInfoW *)el_wline(el);
    line->cursor = line->lastchar = line->buffer;
}

// A line of ~/.editrc, as el_source takes it: what the tokenizer returns is an array of Unicode.Scalar strings, see above.
static inline int wsline_el_parse(EditLine *el, const int32_t *line) {
    int count = 0;
    const wchar_t **words = NULL;
    TokenizerW *tokenizer = tok_winit(NULL);
    if (tokenizer == NULL) return -1;
    int result = tok_wstr(tokenizer, (const wchar_t *)line, &count, &words) == 0 ? el_wparse(el, count, words) : -1;
    tok_wend(tokenizer);
    return result;
}

// <string.h> hides memmem unless _GNU_SOURCE is set; it is in every C library that libedit runs on.
extern void *memmem(const void *, size_t, const void *, size_t);
static inline void *wsline_memmem(const void *text, size_t length, const void *part, size_t partLength) {
    return memmem(text, length, part, partLength);
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
