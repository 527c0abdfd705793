#ifndef WSLINE_CZLIB_H
#define WSLINE_CZLIB_H

#include <zlib.h>

/* inflateInit2 and deflateInit2 are macros that pass zlib's version and the size of z_stream: Swift can't see them. */
static inline int wsline_inflateInit2(z_stream *stream, int windowBits) {
    return inflateInit2(stream, windowBits);
}

static inline int wsline_deflateInit2(z_stream *stream, int level, int windowBits) {
    return deflateInit2(stream, level, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY);
}

#endif
