/* What every unit test program does with its suite: runs it, and says in TAP how it went. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <check.h>

/* 0 when all passed, else 1: the value of main(). Takes over the suite. CK_FORK=no runs it in one
 * process. */
static inline int unit_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

#endif
