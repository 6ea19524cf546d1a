#pragma once

// What the driver's cuTensorMapEncodeTiled fills: how the copy engine addresses a [batch, head, row, column] tensor.
struct alignas(64) TensorMap {
  unsigned char bytes[128];
};
