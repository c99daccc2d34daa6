/* A private folder for one test, removed with everything in it. */
#ifndef SALLYPORT_TESTS_SUPPORT_FOLDER_H
#define SALLYPORT_TESTS_SUPPORT_FOLDER_H

#define TEST_FOLDER_MAX 64 /* short, so that a unix socket inside fits */
#define TEST_PATH_MAX   512

/* A new folder under $TMPDIR or /tmp, mode 0700. Ends the program when it cannot be made. */
void test_folder_new(char ret_folder[TEST_FOLDER_MAX]);
void test_folder_remove(const char *folder);
/* "folder/name" into TEST_PATH_MAX bytes; returns ret_path. */
char *test_folder_path(char *ret_path, const char *folder, const char *name);
/* A file of the folder with this text and mode. */
void test_folder_write(const char *folder, const char *name, const void *bytes, unsigned long length, unsigned mode);

#endif
