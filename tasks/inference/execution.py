"""Where and how networks are run: device, threads, and the faster ways that a site opts for. Deterministic in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tasks.errors import ConfigurationError

if TYPE_CHECKING:
    import torch

#: Faster ways than the reference: the whole input at once where the manifest tiles; bfloat16; channels last in memory.
Variant = Literal["whole", "bf16", "channels_last"]
VARIANTS: tuple[Variant, ...] = ("whole", "bf16", "channels_last")


@dataclass(frozen=True, slots=True)
class Execution:
    """How networks are run.

    Args:
        device: `cpu` or `cuda`.
        threads: of the processor, for one network.
        variant: the faster ways, in the order of `VARIANTS`; none is the reference.
    """

    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    variant: tuple[Variant, ...] = ()

    @property
    def variant_name(self) -> str:
        """`reference`, or the faster ways joined by `+`."""
        return "+".join(self.variant) or "reference"


#: On the processor, one thread, nothing faster.
REFERENCE = Execution()


def variant_of(name: str) -> tuple[Variant, ...]:
    """The faster ways that a name such as `whole+bf16` joins; raise ConfigurationError E-INFER-VARIANT for an unknown one."""
    parts = [] if name == "reference" else name.split("+")
    if any(part not in VARIANTS for part in parts) or len(set(parts)) < len(parts):
        raise ConfigurationError("E-INFER-VARIANT", f"{name}; there are {', '.join(VARIANTS)}")
    return tuple(each for each in VARIANTS if each in parts)


def be_deterministic(how: Execution) -> torch.device:
    """Make this process's torch give the same bits for the same input each time; give the device.

    Raises:
        ConfigurationError: E-INFER-DEVICE where there is no such device.
    """
    import torch

    if torch.get_num_threads() != how.threads:
        torch.set_num_threads(how.threads)
    # `use_deterministic_algorithms` does the same, but imports torch's compiler, which takes two seconds.
    torch.set_deterministic_debug_mode("error")
    if how.device == "cuda":
        if not torch.cuda.is_available():
            raise ConfigurationError("E-INFER-DEVICE", "cuda: torch sees none")
        torch.backends.cudnn.benchmark = False
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return torch.device(how.device)
