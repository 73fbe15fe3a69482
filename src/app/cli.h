/* The command line: what is to be done, and what it lays over the configuration file. */
#ifndef APP_CLI_H
#define APP_CLI_H

#include <stdio.h>
#include "app/config.h"

enum cli_command { CLI_RUN, CLI_CHECK, CLI_DEMO, CLI_HELP, CLI_VERSION };

struct cli {
	enum cli_command command;
	struct config_source source; /* its pointers: into argv, and into `overrides` */
	struct config_override *overrides;
	size_t n_overrides;
};

/* Reads argv, which must outlive *cli. 0; -SL_E_SYNTAX for a wrong command line or -SL_E_NOMEM,
 * after one line on `errors` and with zeroes in *cli. The program's exit code is then 2. */
int cli_parse(int argc, char *const *argv, struct cli *cli, FILE *errors);

/* Accepts zeroes. */
void cli_fini(struct cli *cli);

/* --help (24 lines of 80 columns at the most) and --version. */
void cli_print_help(FILE *out);
void cli_print_version(FILE *out);

#endif
