/* The reasons of libsluice's negative results: a function that fails returns -SL_E_x. */
#ifndef SLUICE_ERROR_H
#define SLUICE_ERROR_H

enum sl_error {
	SL_E_NOMEM = 1,  /* no memory */
	SL_E_LIMIT,      /* a bound that was set at construction is reached */
	SL_E_SYNTAX,     /* the bytes are not what the format allows */
	SL_E_MISSING,    /* what was asked for is not there */
	SL_E_TYPE,       /* it is there, with another type */
	SL_E_BUSY,       /* not now: full, draining or already under way */
	SL_E_IO,         /* the operating system said no; errno tells */
	SL_E_CLOSED,     /* the other side has ended */
	SL_E_UNSUPPORTED /* known, and not to be had here */
};

/* A short English name of -SL_E_x or SL_E_x; never NULL. */
const char *sl_error_name(int error);

#endif
