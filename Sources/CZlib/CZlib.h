#ifndef WSLINE_CZLIB_H
#define WSLINE_CZLIB_H

#include <zlib.h>

#endif
