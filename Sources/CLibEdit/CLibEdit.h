#ifndef WSLINE_CLIBEDIT_H
#define WSLINE_CLIBEDIT_H

#include <histedit.h>

#endif
