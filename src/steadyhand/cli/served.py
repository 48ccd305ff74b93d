"""What `steadyhand inspect` says of a policy at a server's address."""

from typing import Any

from steadyhand.cli.screen import results, show
from steadyhand.feature import told_apart
from steadyhand.policy.named import remote
from steadyhand.runtime.codec import encode


def described_server(address: str, *, as_json: bool) -> dict[str, Any]:
    """Show what is served at an address; what `--json` prints of it.

    Raises `PredictorError` where no server is reached, `ConfigurationError` where it does not let
    us in.
    """
    server = remote(address)
    server.close()
    said, spec = server.greeting, server.spec
    sees = ", ".join(feature.name for feature in spec.observations)
    chunking = {key: value for key, value in encode(spec.chunking).items() if key != "type"}
    show(
        results(as_json=as_json),
        f"{address}: the policy '{said.policy}', served",
        f"sees {sees}; predicts {spec.action.name} {spec.action.shape}",
        *(f"  {feature.name}: {told_apart(feature)}" for feature in spec.depths),
        *(f"  {part}" for part in spec.transform.described if spec.action_parts),
        f"chunking {chunking}",
        f"trained for {said.task or 'no task that is known here'}, step {said.step}, "
        f"seed {said.seed}",
    )
    return {
        "format": "steadyhand-server",
        "version": "1",
        "policy": said.policy,
        "rate_hz": spec.rate_hz,
        "features": {
            **{f.name: {"shape": list(f.shape), "kind": f.kind} for f in spec.observations},
            spec.action.name: {"shape": list(spec.action.shape), "kind": "action"},
        },
        "spec": encode(spec),
        "task": said.task,
        "problems": [],
    }
