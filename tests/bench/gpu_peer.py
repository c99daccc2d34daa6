"""PyTorch on the same device, as its users are told to run it: fp16, channels_last, torch.compile with CUDA graphs.

usage: gpu_peer.py [--all]     prints "peer NAME batch N VALUE items/s" lines; exit 77 without torch or a device
Compiling a net takes most of a minute for each batch size, so the figures come in the order of their worth: matches, every
net as it is, then compiled for batch 64 and 1 (--all: for 8 and 256 too). Who ends it early has the lines so far.
Nets are built here with random weights, of the same shapes as ours: what is timed does not depend on the weights.
"""
import statistics
import sys
import time

try:
    import torch
    from torch import nn
except ImportError:
    print("SKIP: python3 has no torch")
    sys.exit(77)
if not torch.cuda.is_available():
    print("SKIP: torch sees no CUDA device")
    sys.exit(77)


class Block(nn.Module):
    """IResNet's: norm, conv, norm, PReLU, conv (with the stride), norm, plus the way around."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.path = nn.Sequential(nn.BatchNorm2d(before), nn.Conv2d(before, after, 3, 1, 1, bias=False),
                                  nn.BatchNorm2d(after), nn.PReLU(after),
                                  nn.Conv2d(after, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after))
        self.around = nn.Identity() if stride == 1 and before == after else nn.Sequential(
            nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        return self.path(x) + self.around(x)


def iresnet50():
    layers, channels = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)], 64
    for stage, count in enumerate((3, 4, 14, 3)):
        for i in range(count):
            layers.append(Block(channels, 64 << stage, 1 if i else 2))
            channels = 64 << stage
    return nn.Sequential(*layers, nn.BatchNorm2d(512), nn.Flatten(), nn.Linear(512 * 49, 512), nn.BatchNorm1d(512))


def unit(before, after, kernel=1, stride=1, groups=1, act=True):
    return nn.Sequential(nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False),
                         nn.BatchNorm2d(after), *([nn.PReLU(after)] if act else []))


class Bottleneck(nn.Module):
    def __init__(self, before, after, stride, wide):
        super().__init__()
        self.same = stride == 1 and before == after
        self.path = nn.Sequential(unit(before, wide), unit(wide, wide, 3, stride, wide), unit(wide, after, act=False))

    def forward(self, x):
        return x + self.path(x) if self.same else self.path(x)


def mobilefacenet():
    layers, channels = [unit(3, 64, 3, 2), unit(64, 64, 3, 1, 64)], 64
    for after, stride, wide, count in ((64, 2, 128, 1), (64, 1, 128, 4), (128, 2, 256, 1), (128, 1, 256, 6),
                                       (128, 2, 512, 1), (128, 1, 256, 2)):
        for _ in range(count):
            layers.append(Bottleneck(channels, after, stride, wide))
            channels = after
    head = nn.Sequential(nn.Conv2d(512, 512, 7, groups=512, bias=False), nn.BatchNorm2d(512), nn.Flatten(), nn.Linear(512, 512))
    return nn.Sequential(*layers, unit(128, 512), head)


def median_seconds(call, rounds):
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def time_net(name, net, batch, compiled, side=112):
    way = "compiled" if compiled else "eager"
    x = torch.randn(batch, 3, side, side, device="cuda", dtype=torch.half).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        try:
            # Its own code for this batch: with another one after it, the second would be compiled for any batch.
            torch._dynamo.reset()
            run = torch.compile(net, mode="reduce-overhead", dynamic=False) if compiled else net
            seconds = median_seconds(lambda: run(x), 20)
            print(f"peer {name} ({way}) batch {batch} {batch / seconds:.0f} items/s", flush=True)
        except Exception as error:  # a machine without a host compiler for Triton: the eager figure stands
            print(f"peer {name} ({way}) batch {batch} failed: {(str(error).splitlines() or ['?'])[0][:120]}", flush=True)


def time_match(rows, probes, dim=512, k=5):
    gallery = nn.functional.normalize(torch.randn(rows, dim, device="cuda")).half()
    vectors = nn.functional.normalize(torch.randn(probes, dim, device="cuda")).half()
    with torch.inference_mode():
        seconds = median_seconds(lambda: torch.topk(vectors @ gallery.T, k), 20)
    print(f"peer match {rows} x {dim} probes {probes} {seconds * 1e3:.4f} ms {probes / seconds:.0f} probes/s", flush=True)


def time_galleries(galleries, rows, dim=512, k=5):
    """One probe on each gallery: a batched product, the best case for equal sizes."""
    stored = torch.randn(galleries, rows, dim, device="cuda").half()
    vectors = torch.randn(galleries, dim, 1, device="cuda").half()
    with torch.inference_mode():
        seconds = median_seconds(lambda: torch.topk(torch.bmm(stored, vectors).squeeze(2), k), 20)
    print(f"peer match {galleries} galleries x {rows} x {dim} probes {galleries} {seconds * 1e3:.4f} ms", flush=True)


def main():
    print(f"peer is PyTorch {torch.__version__} on {torch.cuda.get_device_name(0)}, fp16, channels_last", flush=True)
    for probes in (1, 16, 64, 1024):
        time_match(1_000_000, probes)
    time_galleries(64, 400)
    nets = {name: make().eval().cuda().half().to(memory_format=torch.channels_last)
            for name, make in (("iresnet50", iresnet50), ("mobilefacenet", mobilefacenet))}
    for name, net in nets.items():
        for batch in (1, 8, 64, 256):
            time_net(name, net, batch, False)
    for batch in (64, 1, 8, 256) if "--all" in sys.argv[1:] else (64, 1):
        for name, net in nets.items():
            time_net(name, net, batch, True)


main()
