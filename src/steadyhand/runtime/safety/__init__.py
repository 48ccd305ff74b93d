"""What stands between a policy and the motors: wrappers around robots and predictors; they nest."""

from steadyhand.runtime.safety.limits import Limited
from steadyhand.runtime.safety.turning import Turning
from steadyhand.runtime.safety.wrappers import Checked, Fresh, Workspace

__all__ = ["Checked", "Fresh", "Limited", "Turning", "Workspace"]
