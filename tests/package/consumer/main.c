#include <flashbias/flashbias.h>
#include <stdio.h>
#include <string.h>

/* The C header is C, and an error comes back as a status and a text. */
int main(void) {
  flashbias_kernel* kernel = NULL;
  if (flashbias_get("head_size=64", &kernel) != FLASHBIAS_PARSE) return 1;
  printf("flashbias %s: %s\n", flashbias_version(), flashbias_last_error());
  return strstr(flashbias_last_error(), "head_size") == NULL;
}
