# cython: language_level=3
"""Leave-one-out over encoded rows: what the network says of each row without one of its features, for each of them.

A row has some fifty features that are not typical, and a variant of it differs from it in one input. So the sums of the
first layer are made once for a row, and for a variant only what its one input changes is added. This is the one place
where the network is computed apart from the TFLite runtime, which would compute each variant whole. The arithmetic is
the runtime's, of integers, and so are the outputs, bit for bit.
"""
import math

from libc.stdint cimport int8_t, int32_t, int64_t

import numpy as np

cimport kernels.clones  # SW_CLONES

from models.errors import BundleError

cdef extern from *:
    """
    #include <stdint.h>

    enum {
        SW_MOST_LAYERS = 8,
        SW_MOST_WIDTH = 256,    /* inputs or outputs of a layer, on the stack */
        SW_MOST_SUM = 1 << 21,  /* no sum of a layer reaches it: as a double it has room for 31 bits behind the point */
    };

    /* A layer of int8. Inputs and outputs are counted from what stands for zero. An output is the sum times `factor`,
       rounded, shifted to the right by `shift`, rounded, and lies in least..most. Both round up from the middle, as
       ruy's kernels do; the fixed point is that of Jacob et al. 2018, 2.2. */
    struct sw_layer {
        int inputs, outputs, shift, least, most;
        double factor;              /* 0.5..1, of 31 bits */
        const int16_t *weights;     /* [outputs, inputs]; of the first layer [inputs, outputs] */
        const int32_t *bias;        /* [outputs] */
    };

    static inline void sw_add_input(const struct sw_layer *layer, int input, int16_t change,
                                    const int32_t *restrict from, int32_t *restrict sums) {
        const int outputs = layer->outputs;
        const int16_t *restrict weights = layer->weights + input * outputs;
        for (int i = 0; i < outputs; i++) sums[i] = from[i] + weights[i] * change;
    }
    static inline void sw_add_inputs(const struct sw_layer *layer, const int16_t *restrict inputs,
                                     int32_t *restrict sums) {
        const int16_t *restrict weights = layer->weights;
        const int32_t *restrict bias = layer->bias;
        const int count = layer->inputs, outputs = layer->outputs;
        for (int to = 0; to < outputs; to++) {
            int32_t sum = 0;
            for (int i = 0; i < count; i++) sum += weights[i] * inputs[i];
            sums[to] = bias[to] + sum;
            weights += count;
        }
    }
    static inline void sw_scale(const struct sw_layer *layer, const int32_t *restrict sums,
                                int16_t *restrict outputs) {
        const int count = layer->outputs, shift = layer->shift, least = layer->least, most = layer->most;
        const int half = shift ? 1 << (shift - 1) : 0;
        const double factor = layer->factor;
        for (int i = 0; i < count; i++) {       /* is not negative when it is cut, which is then to round down */
            int value = (int)(sums[i] * factor + (SW_MOST_SUM + 0.5)) - SW_MOST_SUM;
            value = (value + half) >> shift;
            value = value > least ? value : least;
            outputs[i] = value < most ? value : most;
        }
    }
    /* The outputs of a row that has these sums in the first layer. */
    static void sw_finish(const struct sw_layer *layers, int count, int32_t *sums, int8_t *outputs) {
        const struct sw_layer *last = layers + count - 1;
        int16_t values[SW_MOST_WIDTH];
        sw_scale(layers, sums, values);
        for (int i = 1; i < count; i++) {
            sw_add_inputs(layers + i, values, sums);
            sw_scale(layers + i, sums, values);
        }
        for (int i = 0; i < last->outputs; i++)     /* zero is as far below 127 as it is below `most` */
            outputs[i] = (int8_t)(values[i] + 127 - last->most);
    }
    /* Those of a row, and one after the other those of its variants. */
    SW_CLONES
    static void sw_leave_one_out(const struct sw_layer *layers, int count, const int8_t *codes, const int8_t *typical,
                                 int8_t *alone, int8_t *without) {
        int32_t whole[SW_MOST_WIDTH], sums[SW_MOST_WIDTH];
        for (int i = 0; i < layers->outputs; i++) whole[i] = layers->bias[i];
        for (int input = 0; input < layers->inputs; input++) {
            sw_add_input(layers, input, codes[input], whole, sums);
            for (int i = 0; i < layers->outputs; i++) whole[i] = sums[i];
        }
        sw_finish(layers, count, sums, alone);
        for (int input = 0; input < layers->inputs; input++) {
            if (codes[input] == typical[input]) continue;
            sw_add_input(layers, input, typical[input] - codes[input], whole, sums);
            sw_finish(layers, count, sums, without);
            without += layers[count - 1].outputs;
        }
    }
    """
    enum:
        MOST_LAYERS "SW_MOST_LAYERS"
        MOST_WIDTH "SW_MOST_WIDTH"
        MOST_SUM "SW_MOST_SUM"
    struct Layer "sw_layer":
        int inputs
        int outputs
        int shift
        int least
        int most
        double factor
        const short* weights
        const int32_t* bias
    void leave_one_out "sw_leave_one_out"(
        const Layer* layers, int count, const int8_t* codes, const int8_t* typical, int8_t* alone,
        int8_t* without) noexcept nogil


cdef class LeaveOneOut:
    """LeaveOneOut(layers, typical): a bundle's network, and what it reads as typical.

    layers: the network's, as Interpreter.layers has them. typical: int8 [features].
    Raises BundleError when the network cannot be computed here.
    """
    cdef Layer[MOST_LAYERS] layers
    cdef int count, classes
    cdef const int8_t[::1] typical
    cdef list held              # the arrays that the layers point into

    def __init__(self, list layers, typical):
        if not 0 < len(layers) <= MOST_LAYERS:
            raise BundleError(f"the model has {len(layers)} layers: reasons can be given of at most {MOST_LAYERS}")
        self.count = len(layers)
        self.typical = typical
        self.held = [self._lay_out(i, layer) for i, layer in enumerate(layers)]
        self.classes = self.layers[self.count - 1].outputs

    def _lay_out(self, int i, layer):
        """Layer `i` as the kernel reads it. The arrays that it points into."""
        cdef Layer* to = &self.layers[i]
        cdef const short[:, ::1] weights
        cdef const int32_t[::1] bias
        mantissa, exponent = math.frexp(layer.factor)
        to.outputs, to.inputs = layer.weights.shape
        if to.inputs != (len(self.typical) if i == 0 else self.layers[i - 1].outputs):
            raise BundleError(f"layer {i + 1} of the model has {to.inputs} inputs, other than are made for it")
        to.factor, to.shift = round(mantissa * 2**31) / 2**31, -exponent
        to.least, to.most = -128 - layer.zero, 127 - layer.zero
        largest_input = 128 if i == 0 else max(-self.layers[i - 1].least, self.layers[i - 1].most)
        largest = largest_input * np.abs(layer.weights.astype(int)).sum(1) + np.abs(layer.bias.astype(int))
        if max(to.inputs, to.outputs) > MOST_WIDTH or largest.max() >= MOST_SUM or not 0 <= to.shift < 31:
            raise BundleError(f"layer {i + 1} of the model is too large for reasons, or its scale is unusual")
        weights = np.ascontiguousarray(layer.weights.T if i == 0 else layer.weights, np.int16)
        bias = np.ascontiguousarray(layer.bias, np.int32)
        to.weights, to.bias = &weights[0, 0], &bias[0]
        return weights, bias

    def outputs(self, const int8_t[:, ::1] codes):
        """codes: int8 [n, features].

        Returns (alone int8 [n, classes], without int8 [m, classes], column int32 [m], first int64 [n + 1]): the outputs
        of the rows as they are, then of row `i` those with one column put back to typical, first[i] to first[i + 1].
        Columns that read as typical already cannot move anything and are left out: of most rows that is about half of
        them. Raises ValueError on another number of features.
        """
        cdef Py_ssize_t i, at = 0, count = codes.shape[0]
        cdef int column, features = <int>self.typical.shape[0]
        cdef int64_t[::1] first = np.empty(count + 1, np.int64)
        cdef int32_t[::1] columns = np.empty(count * features + 1, np.int32)
        cdef int8_t[:, ::1] alone = np.empty((count, self.classes), np.int8)
        cdef int8_t[:, ::1] without
        if codes.shape[1] != features:
            raise ValueError(f"expected {features} features, not {codes.shape[1]}")
        for i in range(count):
            first[i] = at
            for column in range(features):
                columns[at] = column
                at += codes[i, column] != self.typical[column]
        first[count] = at
        without = np.empty((at, self.classes), np.int8)
        with nogil:
            for i in range(count):
                leave_one_out(self.layers, self.count, &codes[i, 0], &self.typical[0], &alone[i, 0],
                              &without[0, 0] + first[i] * self.classes)
        return alone.base, without.base, columns.base[:at], first.base


def strongest(const double[::1] alone, const double[::1] without, const int64_t[::1] first, int most, double share):
    """alone: float64 [n], what each row comes to; without: float64 [m], what it comes to without a feature, as laid out
    by LeaveOneOut.

    Returns int64 [n, most], indices into `without`: of each row those below it by more than `share` of the strongest
    fall, the strongest first, those of one strength by column; then -1.
    """
    cdef Py_ssize_t i, at
    cdef int place, held, moved
    cdef double fall
    cdef int64_t[:, ::1] chosen = np.full((alone.shape[0], most), -1, np.int64)
    if first.shape[0] != alone.shape[0] + 1 or first[alone.shape[0]] > without.shape[0]:
        raise ValueError("the parts are not laid out alike")
    for i in range(alone.shape[0]):
        held = 0
        for at in range(first[i], first[i + 1]):
            fall = alone[i] - without[at]
            if not fall > 0:            # NaN, too: both are infinite
                continue
            place = held
            while place > 0 and fall > alone[i] - without[chosen[i, place - 1]]:
                place -= 1
            if place == most:
                continue
            held = min(held + 1, most)
            for moved in range(held - 1, place, -1):
                chosen[i, moved] = chosen[i, moved - 1]
            chosen[i, place] = at
        for place in range(1, held):
            if not alone[i] - without[chosen[i, place]] > share * (alone[i] - without[chosen[i, 0]]):
                chosen[i, place] = -1
    return chosen.base
