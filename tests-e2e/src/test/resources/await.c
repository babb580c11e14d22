/* Returns as soon as a moment has come, for hardly any of the machine's time: a shell that looks as often would slow what it waits for.
 *   await step NAME      a journal of this outer container holds that step
 *   await there PATTERN  a file matches that
 *   await filled PATTERN one that matches is not empty */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int holds(const char *path, const char *words) {
  static char bytes[1 << 16];
  int file = open(path, O_RDONLY);
  ssize_t got = file < 0 ? -1 : read(file, bytes, sizeof bytes);
  close(file);
  return got > 0 && memmem(bytes, got, words, strlen(words)) != NULL;
}

static int come(const char *what, const char *path, const char *words) {
  struct stat file;
  if (!strcmp(what, "step")) {
    return holds(path, words);
  }
  return stat(path, &file) == 0 && (!strcmp(what, "there") || file.st_size > 0);
}

int main(int count, char **words) {
  if (count != 3) {
    return 2;
  }
  char step[64];
  snprintf(step, sizeof step, "\"step\":\"%s\"", words[2]);
  const char *pattern = strcmp(words[1], "step") ? words[2] : "/var/lib/pagurus/journal/*.journal";
  for (;; usleep(500)) {
    glob_t found;
    int any = 0;
    if (glob(pattern, 0, NULL, &found) == 0) {
      for (size_t i = 0; i < found.gl_pathc && !any; i++) {
        any = come(words[1], found.gl_pathv[i], step);
      }
    }
    globfree(&found);
    if (any) {
      return 0;
    }
  }
}
