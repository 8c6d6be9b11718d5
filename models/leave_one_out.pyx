# cython: language_level=3
"""Leave-one-out over encoded rows: what the network says of each row without one of its features, for each of them.

A row has some fifty features that are not typical, and a variant of it differs from it in one input. So the sums of the
first layer are made once for a row, and for a variant only what its one input changes is added; and what the rectifier
holds at zero in all variants of a row, about half, is left out of the second. This is the one place where the network
is computed apart from the TFLite runtime, which would compute each variant whole. The arithmetic is the runtime's, of
integers, and so are the outputs, bit for bit.
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
        SW_LANES = 16,          /* outputs computed side by side */
        SW_TOGETHER = 8,        /* variants for which a weight is fetched once */
        SW_STEPS = 255,         /* between the least and the most of an output */
        SW_MOST_SUM = 1 << 21,  /* no sum of a layer reaches it: floats hold it exactly, added up in whatever order */
        SW_MOST_SHIFT = 12,     /* and doubles with 31 bits behind the point, together with what rounds it */
    };

    /* A layer of int8, as whole numbers in floats. Inputs and outputs are counted from what stands for zero. The
       runtime multiplies a sum with a number of 31 bits, rounds, shifts to the right and rounds again, up from the
       middle as ruy's kernels do, and holds it within least..least + SW_STEPS (the fixed point of Jacob et al. 2018,
       2.2). That is sum * factor + middle where it is not negative, without what is behind the point, + least. */
    struct sw_layer {
        int inputs, outputs;
        int width;                  /* of the outputs with some more that mean nothing, in whole SW_LANES */
        int least;
        double factor, middle;
        const float *weights;       /* [inputs, width] */
        const float *bias;          /* [width] */
    };

    static inline void sw_add_input(const struct sw_layer *layer, int input, float change, const float *from,
                                    float *sums) {
        const float *weights = layer->weights + input * layer->width;
        for (int i = 0; i < layer->width; i++) sums[i] = from[i] + weights[i] * change;
    }
    /* SW_TOGETHER times the sums of inputs, of which only those in `which` can be other than zero. */
    static inline void sw_add_inputs(const struct sw_layer *layer, const int *which, int count,
                                     float (*inputs)[SW_MOST_WIDTH], float (*sums)[SW_MOST_WIDTH]) {
        for (int at = 0; at < layer->width; at += SW_LANES) {
            float sum[SW_TOGETHER][SW_LANES];
            for (int i = 0; i < SW_TOGETHER; i++)
                for (int to = 0; to < SW_LANES; to++) sum[i][to] = layer->bias[at + to];
            for (int k = 0; k < count; k++) {
                const int input = which[k];
                const float *weights = layer->weights + input * layer->width + at;
                for (int i = 0; i < SW_TOGETHER; i++)
                    for (int to = 0; to < SW_LANES; to++) sum[i][to] += weights[to] * inputs[i][input];
            }
            for (int i = 0; i < SW_TOGETHER; i++)
                for (int to = 0; to < SW_LANES; to++) sums[i][at + to] = sum[i][to];
        }
    }
    static inline void sw_scale(const struct sw_layer *layer, float *values) {
        for (int i = 0; i < layer->width; i++) {
            double scaled = values[i] * layer->factor + layer->middle;
            int steps = (int)(scaled > 0 ? scaled : 0);
            values[i] = (steps < SW_STEPS ? steps : SW_STEPS) + layer->least;
        }
    }
    /* The outputs of a layer that can be other than zero in a variant: behind a rectifier, half of them are not. */
    static inline int sw_find_moving(const struct sw_layer *layer, const float *whole, const int *inputs,
                                     const float *changes, int variants, int *moving) {
        float most[SW_MOST_WIDTH], sums[SW_MOST_WIDTH];
        int count = 0;
        for (int i = 0; i < layer->width; i++) most[i] = whole[i];
        for (int one = 0; one < variants; one++) {
            sw_add_input(layer, inputs[one], changes[one], whole, sums);
            for (int i = 0; i < layer->width; i++) most[i] = sums[i] > most[i] ? sums[i] : most[i];
        }
        sw_scale(layer, most);
        for (int i = 0; i < layer->outputs; i++) {
            moving[count] = i;
            count += layer->least != 0 || most[i] != 0;
        }
        return count;
    }
    /* The outputs of a row, and one after the other those of its variants. */
    SW_CLONES
    static void sw_leave_one_out(const struct sw_layer *layers, int count, const int8_t *codes, const int8_t *typical,
                                 int8_t *alone, int8_t *without) {
        const struct sw_layer *last = layers + count - 1;
        float whole[SW_MOST_WIDTH], changes[SW_MOST_WIDTH + 1], values[2][SW_TOGETHER][SW_MOST_WIDTH];
        int inputs[SW_MOST_WIDTH + 1], moving[SW_MOST_WIDTH], every[SW_MOST_WIDTH];
        int variants = 1;           /* the first is the row as it is */
        inputs[0] = 0;
        changes[0] = 0;
        for (int i = 0; i < layers->width; i++) whole[i] = layers->bias[i];
        for (int input = 0; input < layers->inputs; input++) {
            sw_add_input(layers, input, codes[input], whole, whole);
            inputs[variants] = input;
            changes[variants] = typical[input] - codes[input];
            variants += typical[input] != codes[input];
        }
        const int moves = sw_find_moving(layers, whole, inputs, changes, variants, moving);
        for (int i = 0; i < SW_MOST_WIDTH; i++) every[i] = i;
        for (int first = 0; first < variants; first += SW_TOGETHER) {
            for (int i = 0; i < SW_TOGETHER; i++) {
                int one = first + i < variants ? first + i : variants - 1;
                sw_add_input(layers, inputs[one], changes[one], whole, values[0][i]);
                sw_scale(layers, values[0][i]);
            }
            for (int layer = 1; layer < count; layer++) {
                float (*sums)[SW_MOST_WIDTH] = values[layer & 1];
                sw_add_inputs(layers + layer, layer == 1 ? moving : every, layer == 1 ? moves : layers[layer].inputs,
                              values[(layer - 1) & 1], sums);
                for (int i = 0; i < SW_TOGETHER; i++) sw_scale(layers + layer, sums[i]);
            }
            for (int i = 0; i < SW_TOGETHER && first + i < variants; i++) {
                const float *from = values[(count - 1) & 1][i];
                int8_t *to = first + i == 0 ? alone : without + (first + i - 1) * last->outputs;
                for (int k = 0; k < last->outputs; k++) to[k] = (int8_t)(from[k] - last->least - 128);
            }
        }
    }
    """
    enum:
        LANES "SW_LANES"
        STEPS "SW_STEPS"
        MOST_LAYERS "SW_MOST_LAYERS"
        MOST_WIDTH "SW_MOST_WIDTH"
        MOST_SUM "SW_MOST_SUM"
        MOST_SHIFT "SW_MOST_SHIFT"
    struct Layer "sw_layer":
        int inputs
        int outputs
        int width
        int least
        double factor
        double middle
        const float* weights
        const float* bias
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
        self.held = []
        for i, layer in enumerate(layers):
            inputs = len(typical) if i == 0 else len(layers[i - 1].weights)
            if layer.weights.shape[1] != inputs:
                raise BundleError(f"layer {i + 1} of the model has {layer.weights.shape[1]} inputs, not {inputs}")
            self.held.append(self._lay_out(i, layer, 128 if i == 0 else STEPS))
        self.classes = self.layers[self.count - 1].outputs

    def _lay_out(self, int i, layer, int largest_input):
        """Layer `i` as the kernel reads it. The arrays that it points into."""
        cdef Layer* to = &self.layers[i]
        cdef float[:, ::1] weights
        cdef float[::1] bias
        mantissa, exponent = math.frexp(layer.factor)
        shift = -exponent
        to.outputs, to.inputs = layer.weights.shape
        largest = largest_input * np.abs(layer.weights.astype(int)).sum(1) + np.abs(layer.bias.astype(int))
        if max(to.inputs, to.outputs) > MOST_WIDTH or largest.max() >= MOST_SUM or not 0 <= shift <= MOST_SHIFT:
            raise BundleError(f"layer {i + 1} of the model is too large for reasons, or its scale is unusual")
        to.width = (to.outputs + LANES - 1) // LANES * LANES
        to.least = -128 - layer.zero
        to.factor = round(mantissa * 2**31) / 2**31 / 2**shift
        to.middle = (0.5 + 2**shift // 2) / 2**shift - to.least
        weights = np.zeros((to.inputs, to.width), np.float32)
        weights.base[:, :to.outputs] = layer.weights.T
        bias = np.zeros(to.width, np.float32)
        bias.base[:to.outputs] = layer.bias
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
