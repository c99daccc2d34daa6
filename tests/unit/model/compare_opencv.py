#!/usr/bin/python3
"""`sallyport model run` against an independent runtime, OpenCV's dnn, on every net that it reads: max |a-b| / max |b|
per output at most 1e-4. Exit 77: no OpenCV or no nets. usage: compare_opencv.py BACKEND"""
import os, pathlib, subprocess, sys, tempfile

BOUND = 1e-4


def nets():
    """(file, input name, input shape, name of each output)"""
    pack = os.environ.get("SALLYPORT_PACK")
    if pack:
        pack = pathlib.Path(pack)
        yield pack / "ssd_mobilenetv1.onnx", "input", (1, 3, 512, 512), ["boxes", "classes"]
        yield pack / "tiny_face_detector.onnx", "input", (2, 3, 416, 416), ["grid"]
        yield pack / "face_landmark_68.onnx", "input", (3, 3, 112, 112), ["landmarks"]
        yield pack / "face_landmark_68_tiny.onnx", "input", (1, 3, 112, 112), ["landmarks"]
        yield pack / "face_recognition.onnx", "input", (3, 3, 150, 150), ["descriptor"]
    source = pathlib.Path(os.environ["SALLYPORT_SOURCE"])
    models = pathlib.Path(os.environ.get("SALLYPORT_TEST_DATA", source.parent / "shared" / "data")) / "models"
    if models.is_dir():
        yield models / "yunet_n_640_640.onnx", "input", (1, 3, 640, 640), [
            f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
        yield models / "mobilefacenet.onnx", "input0", (1, 3, 112, 112), [None]


def compare(folder, file, name, shape, outputs, backend):
    # Smooth pictures: noise alone drives nets that never saw it into extremes.
    random = np.random.default_rng(7)
    small = random.uniform(-1, 1, shape[:2] + (16, 16)).astype("<f4")
    x = np.stack([[cv2.resize(c, shape[:1:-1], interpolation=cv2.INTER_CUBIC) for c in row] for row in small])
    if "yunet" in file.name:
        x = 127.5 * x + 127.5
    np.save(folder / "x.npy", np.ascontiguousarray(x, dtype="<f4"))
    subprocess.run([pathlib.Path(os.environ["SALLYPORT_BIN"]) / "sallyport", "model", "run", file, "--backend", backend,
                    "--input", f"{name}={folder / 'x.npy'}", "--output-dir", folder / file.stem],
                   check=True, stdout=subprocess.DEVNULL, timeout=120)
    net = cv2.dnn.readNetFromONNX(str(file))
    net.setInput(x)
    worst = 0.0
    for output in outputs:
        want = net.forward(output) if output and len(outputs) > 1 else net.forward()
        files = sorted((folder / file.stem).glob("*.npy"))
        got = np.load(folder / file.stem / f"{output}.npy" if output else files[0])
        assert got.size == want.size, f"{file.name} {output}: {got.shape}, OpenCV has {want.shape}"
        error = float(np.abs(got.ravel() - want.ravel()).max() / np.abs(want).max())
        worst = error if not error <= worst else worst  # NaN stays
    print(f"{file.name:28} {backend}: {worst:.2e}")
    return worst <= BOUND


def main():
    chosen = [net for net in nets() if net[0].exists()]
    if not chosen:
        print("skipped: neither SALLYPORT_PACK nor SALLYPORT_TEST_DATA has nets")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        results = [compare(pathlib.Path(folder), *net, sys.argv[1]) for net in chosen]
    return 0 if all(results) else 1


try:
    import cv2
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}; Debian has python3-opencv and python3-numpy")
    sys.exit(77)
sys.exit(main())
