/* flashbias.h as a C99 program sees it; c_api_test.cpp calls this. */
#include <string.h>

#include "flashbias/flashbias.h"

/* 0, or the number of the first check that failed. */
int check_c_api(void) {
  flashbias_kernel* kernel = NULL;
  flashbias_arguments arguments;
  memset(&arguments, 0, sizeof arguments);
  flashbias_backward_arguments backward_arguments;
  memset(&backward_arguments, 0, sizeof backward_arguments);

  if (strlen(flashbias_version()) == 0) return 1;
  if (flashbias_get("head_dim=seven", &kernel) != FLASHBIAS_PARSE) return 2;
  if (strstr(flashbias_last_error(), "seven") == NULL) return 3;
  if (flashbias_get(NULL, &kernel) != FLASHBIAS_INVALID_ARGUMENT) return 4;
  if (strcmp(flashbias_last_error(), "config is NULL") != 0) return 5;
  if (flashbias_get("head_dim=64", NULL) != FLASHBIAS_INVALID_ARGUMENT) return 6;
  if (flashbias_launch(NULL, &arguments, NULL) != FLASHBIAS_INVALID_ARGUMENT) return 7;
  if (flashbias_launch_backward(NULL, &backward_arguments, NULL) != FLASHBIAS_INVALID_ARGUMENT) return 12;
  if (strcmp(flashbias_last_error(), "kernel is NULL") != 0) return 13;
  if (flashbias_kernel_explain(NULL) != NULL) return 8;
  if (flashbias_kernel_key(NULL) != NULL) return 14;
  if (strcmp(flashbias_last_error(), "kernel is NULL") != 0) return 15;
  flashbias_kernel_free(NULL);
  kernel = (flashbias_kernel*)&arguments;
  if (flashbias_get("head_dim=seven", &kernel) != FLASHBIAS_PARSE || kernel != NULL) return 16;
  flashbias_counters counters;
  if (flashbias_get_counters(NULL) != FLASHBIAS_INVALID_ARGUMENT) return 10;
  if (flashbias_get_counters(&counters) != FLASHBIAS_OK || counters.memory_hits != 0) return 11;
  return kernel == NULL ? 0 : 9;
}
