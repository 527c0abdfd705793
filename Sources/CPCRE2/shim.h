#ifndef WSLINE_CPCRE2_H
#define WSLINE_CPCRE2_H

// The width is part of each function's name, pcre2_compile_8: the names without it are macros, which Swift can't see.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#endif
