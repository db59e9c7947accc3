"""Signature policies written as text: AND('Org1MSP.peer', OR('Org2MSP.member', 'Org3MSP.admin')).

Source: common/policydsl/policyparser.go. The same text gives the same bytes as Fabric's own parser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from fabric_protos.common import policies_pb2
from fabric_protos.msp import msp_principal_pb2

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.principal import ROLE_NUMBERS, Role

MAX_TEXT = 16 * 1024
MAX_NESTING = 32

_GATES = {
    spelling: gate for gate in ("And", "Or", "OutOf") for spelling in (gate, gate.lower(), gate.upper())
}
_TOKEN = re.compile(
    r"\s*(?:(?P<word>[A-Za-z]+)|(?P<number>[0-9]{1,9})|'(?P<single>[^'\\]*)'|\"(?P<double>[^\"\\]*)\"|(?P<mark>[(),]))"
)
_PRINCIPAL = re.compile(r"([A-Za-z0-9.-]+)\.(admin|member|client|peer|orderer)", re.ASCII)


def parse_policy_text(text: str) -> bytes:
    """Turn "OutOf(2, 'Org1MSP.peer', 'Org2MSP.member')" (AND, OR, OutOf) into SignaturePolicyEnvelope bytes.

    Source: common/policydsl. Raises InvalidInputError with the position.
    """
    if len(text) > MAX_TEXT:
        raise InvalidInputError(f"a policy text of {len(text)} characters is too long; at most {MAX_TEXT}")
    parser = _Parser(text)
    rule = parser.gate(0)
    parser.end()
    envelope = policies_pb2.SignaturePolicyEnvelope(version=0, rule=rule, identities=parser.principals)
    return bytes(envelope.SerializeToString(deterministic=True))


@dataclass(slots=True)
class _Parser:
    """Reads gates left to right; every principal met gets an index of its own, as in Fabric."""

    text: str
    position: int = 0
    principals: list[msp_principal_pb2.MSPPrincipal] = field(default_factory=list)

    def gate(self, depth: int) -> policies_pb2.SignaturePolicy:
        """Read GATE(argument, …)."""
        if depth > MAX_NESTING:
            raise self._error(f"gates nested more than {MAX_NESTING} deep", self.position)
        start = self.position
        word = self._take("word", "a gate (AND, OR, OutOf)")
        gate = _GATES.get(word)
        if gate is None:
            raise self._error(f"unrecognized token '{word}'; expected AND, OR or OutOf", start)
        self._mark("(")
        n = 1
        if gate == "OutOf":
            n = int(self._take("number", "how many of the following are needed"))
            self._mark(",")
        rules = [self._argument(depth)]
        while self._mark(",", ")") == ",":
            rules.append(self._argument(depth))
        if gate == "And":
            n = len(rules)
        if n > len(rules) + 1:
            raise self._error(f"invalid t-out-of-n predicate, t {n}, n {len(rules)}", start)
        return policies_pb2.SignaturePolicy(n_out_of=policies_pb2.SignaturePolicy.NOutOf(n=n, rules=rules))

    def end(self) -> None:
        """Check that nothing follows."""
        if self.text[self.position :].strip():
            raise self._error("unexpected text after the policy", self.position)

    def _argument(self, depth: int) -> policies_pb2.SignaturePolicy:
        start = self.position
        kind, value = self._next()
        if kind == "word":
            self.position = start
            return self.gate(depth + 1)
        if kind not in ("single", "double"):
            raise self._error("expected a principal in quotes ('MSP.role') or a gate", start)
        match = _PRINCIPAL.fullmatch(value)
        if match is None:
            raise self._error(f"error parsing principal {value!r}; expected MSP.role", start)
        role = msp_principal_pb2.MSPRole(msp_identifier=match[1], role=ROLE_NUMBERS[Role(match[2])])
        self.principals.append(
            msp_principal_pb2.MSPPrincipal(
                principal_classification=msp_principal_pb2.MSPPrincipal.ROLE,
                principal=role.SerializeToString(deterministic=True),
            )
        )
        return policies_pb2.SignaturePolicy(signed_by=len(self.principals) - 1)

    def _mark(self, *marks: str) -> str:
        start = self.position
        kind, value = self._next()
        if kind != "mark" or value not in marks:
            raise self._error(f"expected {' or '.join(marks)}", start)
        return value

    def _take(self, wanted: str, meaning: str) -> str:
        start = self.position
        kind, value = self._next()
        if kind != wanted:
            raise self._error(f"expected {meaning}", start)
        return value

    def _next(self) -> tuple[str, str]:
        match = _TOKEN.match(self.text, self.position)
        if match is None or match.lastgroup is None:
            raise self._error("unreadable, or the text ends too early", self.position)
        self.position = match.end()
        return match.lastgroup, match[match.lastgroup]

    def _error(self, problem: str, position: int) -> InvalidInputError:
        return InvalidInputError(f"invalid policy text at character {position + 1}: {problem}")
