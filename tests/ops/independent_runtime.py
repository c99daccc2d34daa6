#!/usr/bin/python3
"""Our outputs against another ONNX runtime: OpenCV's, the one that Debian has.

usage: independent_runtime.py PROGRAM FILE.onnx[:HEIGHTxWIDTH]...

PROGRAM is the sallyport program; it is called as
    PROGRAM model run FILE.onnx --input NAME=x.npy --output-dir D
and leaves one D/OUTPUT.npy per output. Every output of every file must agree to max|a-b| / max|b| <= 1e-4. The input is
random, by a printed seed; open dims of the file are HEIGHT and WIDTH, an open batch is 1.
OpenCV 4.6 takes only part of the operators: YuNet with fixed size, and SSD written with operator set 10.
Exit: 0 agreed, 1 not, 77 OpenCV or numpy is not there."""
import os
import subprocess
import sys
import tempfile

try:
    import cv2
    import numpy as np
except ImportError as missing:
    print(f'SKIP: {missing}')
    sys.exit(77)

SEED = 20261122
BOUND = 1e-4


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of a message's fields; only what the few messages below hold."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            length = {1: 8, 5: 4}[key & 7]
            value, at = data[at:at + length], at + length
        yield key >> 3, value


def every(data, *path):
    """Values at a path of field numbers, with repetition."""
    if not path:
        return [data]
    return [found for number, value in fields(data) if number == path[0] for found in every(value, *path[1:])]


def ports(model, size):
    """Input names and shapes, and output names, of an ONNX file's graph."""
    graph = every(model, 7)[0]
    weights = {name for tensor in every(graph, 5) for name in every(tensor, 8)}
    inputs = {}
    for info in every(graph, 11):
        name = every(info, 1)[0]
        if name in weights:
            continue
        dims = [(every(dim, 1) or [0])[0] for dim in every(info, 2, 1, 2, 1)]
        open_dims = [1, 3, *size] if len(dims) == 4 else [1] * len(dims)
        inputs[name.decode()] = [dim or other for dim, other in zip(dims, open_dims)]
    return inputs, [every(info, 1)[0].decode() for info in every(graph, 12)]


def check(program, argument):
    """Worst distance over the outputs of one file."""
    path, _, size = argument.partition(':')
    size = [int(side) for side in size.split('x')] if size else [0, 0]
    with open(path, 'rb') as file:
        inputs, outputs = ports(file.read(), size)
    random = np.random.RandomState(SEED)
    rows = {name: random.uniform(-1, 1, shape).astype(np.float32) for name, shape in inputs.items()}
    net = cv2.dnn.readNetFromONNX(path)
    for name, row in rows.items():
        net.setInput(row, name)
    expected = dict(zip(outputs, net.forward(outputs)))
    with tempfile.TemporaryDirectory() as folder:
        command = [program, 'model', 'run', path, '--output-dir', folder]
        for name, row in rows.items():
            np.save(os.path.join(folder, 'input.npy'), row)
            command += ['--input', f'{name}={os.path.join(folder, "input.npy")}']
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            print(f'FAIL {path}: {" ".join(command)}: {done.stderr.strip()}')
            return float('inf')
        worst = 0.0
        for name in outputs:
            ours, theirs = np.load(os.path.join(folder, name + '.npy')), expected[name]
            if ours.size != theirs.size:
                print(f'FAIL {path}: output {name} is {ours.shape}, OpenCV has {theirs.shape}')
                return float('inf')
            distance = np.abs(ours.ravel() - theirs.ravel()).max() / max(np.abs(theirs).max(), 1e-30)
            print(f'  {name:12s} {str(ours.shape):16s} {distance:.2g}')
            worst = max(worst, float(distance)) if distance == distance else float('inf')
    return worst


def main():
    if len(sys.argv) < 3:
        print(__doc__)
        return 2
    print(f'seed {SEED}, OpenCV {cv2.__version__}')
    agreed = True
    for argument in sys.argv[2:]:
        worst = check(sys.argv[1], argument)
        print(f'{"ok  " if worst <= BOUND else "FAIL"} {argument}: worst {worst:.2g}, bound {BOUND}')
        agreed = agreed and worst <= BOUND
    return 0 if agreed else 1


if __name__ == '__main__':
    sys.exit(main())
