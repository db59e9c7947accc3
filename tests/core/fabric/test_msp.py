from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID
from fabric_protos.msp import msp_config_pb2, msp_principal_pb2
from hypothesis import given
from hypothesis import strategies as st
from tests.support.throwaway_ca import END, EXPIRED, NOW, ROLES, START, ThrowawayCa, pem

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.certificate import read_certificate
from shirushi_core.fabric.certificate_chain import low_s_der
from shirushi_core.fabric.identity import Identity, SigningIdentity
from shirushi_core.fabric.msp import ExpiredIdentityError, IdentityError, Msp, MspManager, Role
from shirushi_core.fabric.principal import ValidIdentity
from shirushi_core.fabric.signing import SignatureError

KINDS = msp_principal_pb2.MSPPrincipal


def accept(msp: Msp, signer: SigningIdentity) -> ValidIdentity:
    return msp.validate(signer.identity, NOW)


def refuse(msp: Msp, signer: SigningIdentity) -> str:
    with pytest.raises(IdentityError) as caught:
        accept(msp, signer)
    return str(caught.value)


class TestChains:
    @pytest.mark.parametrize("role", ROLES)
    def test_a_certificate_of_the_root_is_a_member_with_its_one_role(
        self, msp: Msp, ca: ThrowawayCa, role: str
    ) -> None:
        valid = accept(msp, ca.issue(role, "department1"))
        assert valid.roles == {Role.MEMBER, Role(role)}
        assert valid.organizational_units == {role, "department1"}
        assert valid.msp_id == "Org1MSP"

    def test_a_certificate_of_an_intermediate_is_accepted(self, ca: ThrowawayCa) -> None:
        intermediate = ca.intermediate()
        accept(Msp.from_config(intermediate.msp_config()), intermediate.issue("peer"))

    def test_where_there_are_intermediates_the_root_issues_no_identities(self, ca: ThrowawayCa) -> None:
        msp = Msp.from_config(ca.intermediate().msp_config())
        assert "should be a leaf of the certification tree" in refuse(msp, ca.issue("peer"))

    @pytest.mark.parametrize(
        "make_key", [lambda: ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate]
    )
    def test_p384_and_ed25519_identities_are_accepted(
        self, msp: Msp, ca: ThrowawayCa, make_key: object
    ) -> None:
        signer = ca.issue("client", key=make_key())  # type: ignore[operator]
        accept(msp, signer).verify(signer.sign(b"message"), b"message")

    def test_an_ed25519_authority_is_accepted(self) -> None:
        ca = ThrowawayCa.root(key=ed25519.Ed25519PrivateKey.generate())
        accept(Msp.from_config(ca.msp_config()), ca.issue("client"))

    def test_wrong_ca(self, msp: Msp) -> None:
        assert "signed by unknown authority" in refuse(msp, ThrowawayCa.root("elsewhere").issue("client"))

    def test_wrong_ca_of_the_same_name(self, msp: Msp) -> None:
        assert "signed by unknown authority" in refuse(msp, ThrowawayCa.root("ca.org1").issue("client"))

    def test_an_intermediate_unknown_to_the_msp(self, msp: Msp, ca: ThrowawayCa) -> None:
        assert "signed by unknown authority" in refuse(msp, ca.intermediate().issue("client"))

    def test_another_msp_named(self, msp: Msp, ca: ThrowawayCa) -> None:
        identity = Identity("Org2MSP", ca.issue("client").identity.certificate_pem)
        with pytest.raises(IdentityError, match="expected MSP ID Org1MSP, received Org2MSP"):
            msp.validate(identity, NOW)

    def test_expired_leaf(self, msp: Msp, ca: ThrowawayCa) -> None:
        with pytest.raises(ExpiredIdentityError, match="CN=late"):
            accept(msp, ca.issue("client", name="late", not_after=EXPIRED))

    def test_expiry_is_judged_at_the_time_given(self, msp: Msp, ca: ThrowawayCa) -> None:
        identity = ca.issue("client", not_after=EXPIRED).identity
        msp.validate(identity, EXPIRED)
        with pytest.raises(ExpiredIdentityError):
            msp.validate(identity, EXPIRED + timedelta(seconds=1))

    def test_a_certificate_issued_outside_its_authoritys_period(self) -> None:
        ca = ThrowawayCa.root(not_after=EXPIRED)
        msp = Msp.from_config(ca.msp_config())
        accept(msp, ca.issue("client"))
        assert "unknown authority" in refuse(msp, ca.issue("client", not_before=NOW))

    def test_a_ca_certificate_is_no_identity(self, msp: Msp, ca: ThrowawayCa) -> None:
        intermediate = ca.intermediate()
        signer = SigningIdentity(Identity("Org1MSP", pem(intermediate.certificate)), intermediate.key)
        assert "Certificate Authority equals true" in refuse(msp, signer)

    def test_an_unsupported_key(self, msp: Msp, ca: ThrowawayCa) -> None:
        key = rsa.generate_private_key(65537, 2048)
        assert "public key algorithm" in refuse(msp, ca.issue("client", key=key))

    def test_an_rsa_authority_is_accepted(self) -> None:
        ca = ThrowawayCa.root(key=rsa.generate_private_key(65537, 2048))
        accept(Msp.from_config(ca.msp_config()), ca.issue("client"))

    def test_the_same_root_twice_is_one(self, ca: ThrowawayCa) -> None:
        msp = Msp.from_config(ca.msp_config(root_certs=[pem(ca.certificate)]))
        accept(msp, ca.issue("client"))

    def test_an_unknown_critical_extension(self, msp: Msp, ca: ThrowawayCa) -> None:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
        accept(msp, ca.issue("client", extensions=[(unknown, False)]))
        assert "1.2.3.4.5" in refuse(msp, ca.issue("client", extensions=[(unknown, True)]))

    def test_an_extended_key_usage_without_server_authentication(self, msp: Msp, ca: ThrowawayCa) -> None:
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        mail = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        accept(msp, ca.issue("client", extensions=[(server, False)]))
        refuse(msp, ca.issue("client", extensions=[(mail, False)]))

    def test_a_path_longer_than_its_authority_allows(self) -> None:
        root = ThrowawayCa.root(basic_constraints=x509.BasicConstraints(ca=True, path_length=0))
        with pytest.raises(InvalidInputError, match="unknown authority"):
            Msp.from_config(root.intermediate().intermediate("lower").msp_config())

    def test_two_chains_to_the_roots_are_ambiguous(self, ca: ThrowawayCa) -> None:
        # The same authority's key and name, certified twice.
        twin = ThrowawayCa.root("ca.org1", key=ca.key)
        msp = Msp.from_config(ca.msp_config(root_certs=[pem(twin.certificate)]))
        assert "single validation chain, got 2" in refuse(msp, ca.issue("client"))


class TestRevocation:
    def test_revoked(self, ca: ThrowawayCa) -> None:
        revoked, kept = ca.issue("client"), ca.issue("client")
        msp = Msp.from_config(ca.msp_config(revocation_list=[ca.revoke(revoked)]))
        accept(msp, kept)
        assert "The certificate has been revoked" in refuse(msp, revoked)

    def test_a_list_someone_else_signed_revokes_nothing(self, ca: ThrowawayCa) -> None:
        signer = ca.issue("client")
        forged = ca.revoke(signer, signer=ec.generate_private_key(ec.SECP256R1()))
        accept(Msp.from_config(ca.msp_config(revocation_list=[forged])), signer)

    def test_a_revoked_intermediate_makes_the_configuration_invalid(self, ca: ThrowawayCa) -> None:
        intermediate = ca.intermediate()
        revoked = SigningIdentity(Identity("Org1MSP", pem(intermediate.certificate)), intermediate.key)
        with pytest.raises(InvalidInputError, match="has been revoked"):
            Msp.from_config(intermediate.msp_config(revocation_list=[ca.revoke(revoked)]))

    def test_noise_is_no_revocation_list(self, ca: ThrowawayCa) -> None:
        with pytest.raises(InvalidInputError, match="could not parse RevocationList 0"):
            Msp.from_config(ca.msp_config(revocation_list=[b"noise"]))


class TestNodeOus:
    def test_no_role(self, msp: Msp, ca: ThrowawayCa) -> None:
        assert "does not have an OU that resolves to client, peer, orderer, or admin role" in refuse(
            msp, ca.issue("department1")
        )

    def test_two_roles(self, msp: Msp, ca: ThrowawayCa) -> None:
        assert "not a combination of them" in refuse(msp, ca.issue("client", "peer"))

    def test_an_identifier_tied_to_another_authority(self, ca: ThrowawayCa) -> None:
        one, two = ca.intermediate("one"), ca.intermediate("two")
        ous = msp_config_pb2.FabricNodeOUs(
            peer_ou_identifier=msp_config_pb2.FabricOUIdentifier(certificate=pem(one.certificate))
        )
        msp = Msp.from_config(one.msp_config(intermediate_certs=[pem(two.certificate)], fabric_node_ous=ous))
        accept(msp, one.issue("peer"))
        accept(msp, two.issue("client"))
        assert "certifiersIdentifier does not match" in refuse(msp, two.issue("peer"))

    def test_an_identifier_tied_to_a_stranger_makes_the_configuration_invalid(self, ca: ThrowawayCa) -> None:
        stranger = pem(ThrowawayCa.root("stranger").certificate)
        ous = msp_config_pb2.FabricNodeOUs(
            peer_ou_identifier=msp_config_pb2.FabricOUIdentifier(certificate=stranger)
        )
        with pytest.raises(InvalidInputError, match="not in root or intermediate certs"):
            Msp.from_config(ca.msp_config(fabric_node_ous=ous))

    def test_only_recognised_units_where_units_are_listed(self, ca: ThrowawayCa) -> None:
        unit = msp_config_pb2.FabricOUIdentifier(
            certificate=pem(ca.certificate), organizational_unit_identifier="department1"
        )
        msp = Msp.from_config(ca.msp_config(organizational_unit_identifiers=[unit]))
        accept(msp, ca.issue("client", "department1"))
        assert "none of the identity's organizational units" in refuse(msp, ca.issue("client"))

    def test_without_node_ous_only_the_listed_admins_have_a_role(self, ca: ThrowawayCa) -> None:
        admin, other = ca.issue(), ca.issue("admin")
        msp = Msp.from_config(ca.msp_config(node_ous=False, admins=[admin.identity.certificate_pem]))
        assert accept(msp, admin).roles == {Role.MEMBER, Role.ADMIN}
        assert accept(msp, other).roles == {Role.MEMBER}

    def test_a_listed_admin_may_be_a_client_and_not_a_peer(self, ca: ThrowawayCa) -> None:
        admin = ca.issue("client")
        msp = Msp.from_config(ca.msp_config(admins=[admin.identity.certificate_pem]))
        assert accept(msp, admin).roles == {Role.MEMBER, Role.CLIENT, Role.ADMIN}
        with pytest.raises(InvalidInputError, match="admin 0 is invalid"):
            Msp.from_config(ca.msp_config(admins=[ca.issue("peer").identity.certificate_pem]))

    def test_without_an_admin_unit_admins_must_be_listed(self, ca: ThrowawayCa) -> None:
        with pytest.raises(InvalidInputError, match="administrators must be declared"):
            Msp.from_config(ca.msp_config(node_ous=False))


class TestConfiguration:
    @pytest.mark.parametrize(
        ("root", "says"),
        [
            (
                ThrowawayCa.root(basic_constraints=x509.BasicConstraints(ca=False, path_length=None)),
                "CA attribute",
            ),
            (ThrowawayCa.root(subject_key_id=False), "Subject Key Identifier"),
            (ThrowawayCa.root(key_cert_sign=False), "keyCertSign"),
        ],
        ids=["not_a_ca", "no_ski", "may_not_sign"],
    )
    def test_an_unfit_authority_is_refused_and_named(self, root: ThrowawayCa, says: str) -> None:
        with pytest.raises(InvalidInputError, match=f"Org1MSP.*CN=root.*{says}"):
            Msp.from_config(root.msp_config())

    def test_an_intermediate_of_another_root_is_refused(self, ca: ThrowawayCa) -> None:
        stray = pem(ThrowawayCa.root("elsewhere").intermediate("stray").certificate)
        with pytest.raises(InvalidInputError, match=r"CN=stray is not valid.*unknown authority"):
            Msp.from_config(ca.msp_config(intermediate_certs=[stray]))

    def test_the_tls_authorities_are_kept(self, ca: ThrowawayCa) -> None:
        tls = pem(ThrowawayCa.root("tls").certificate)
        assert Msp.from_config(ca.msp_config(tls_root_certs=[tls])).tls_root_certificates == (tls,)

    def test_an_idemix_msp_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="unsupported msp type 1"):
            Msp.from_config(msp_config_pb2.MSPConfig(type=1).SerializeToString())

    @given(data=st.binary(max_size=200))
    def test_noise_gives_a_typed_error(self, data: bytes) -> None:
        for config in (data, msp_config_pb2.MSPConfig(type=0, config=data).SerializeToString()):
            with pytest.raises(ShirushiError):
                Msp.from_config(config)


class TestManager:
    def test_an_accepted_identity_is_judged_once_but_its_expiry_every_time(
        self, msps: MspManager, ca: ThrowawayCa
    ) -> None:
        serialized = ca.issue("client").identity.serialized
        assert msps.validate(serialized, NOW) is msps.validate(bytes(serialized), START)
        with pytest.raises(ExpiredIdentityError):
            msps.validate(serialized, END + timedelta(seconds=1))

    def test_an_msp_that_the_channel_does_not_have(self, msps: MspManager) -> None:
        stranger = ThrowawayCa.root("elsewhere", "NoMSP").issue("client").identity.serialized
        with pytest.raises(IdentityError, match="MSP NoMSP is not defined on channel"):
            msps.validate(stranger, NOW)

    def test_another_members_certificate_under_ones_own_msp(
        self, msps: MspManager, ca: ThrowawayCa, other_ca: ThrowawayCa
    ) -> None:
        stolen = Identity("Org2MSP", ca.issue("client").identity.certificate_pem)
        with pytest.raises(IdentityError, match="unknown authority"):
            msps.validate(stolen.serialized, NOW)

    def test_an_identity_verifies_only_its_own_signatures(self, msps: MspManager, ca: ThrowawayCa) -> None:
        signer = ca.issue("client")
        valid = msps.validate(signer.identity.serialized, NOW)
        valid.verify(signer.sign(b"message"), b"message")
        with pytest.raises(SignatureError):
            valid.verify(ca.issue("client").sign(b"message"), b"message")

    @given(data=st.binary(max_size=200))
    def test_noise_gives_a_typed_error(self, data: bytes) -> None:
        with pytest.raises(ShirushiError):
            MspManager([]).validate(data, NOW)


def principal(kind: int, body: object) -> bytes:
    data = body if isinstance(body, bytes) else body.SerializeToString()  # type: ignore[attr-defined]
    return bytes(KINDS(principal_classification=kind, principal=data).SerializeToString())


def role_principal(msp_id: str, role: str) -> bytes:
    number = msp_principal_pb2.MSPRole.MSPRoleType.Value(role.upper())
    return principal(KINDS.ROLE, msp_principal_pb2.MSPRole(msp_identifier=msp_id, role=number))


class TestPrincipals:
    @pytest.fixture
    def signer(self, ca: ThrowawayCa) -> SigningIdentity:
        return ca.issue("client", "department1")

    @pytest.fixture
    def valid(self, msps: MspManager, signer: SigningIdentity) -> ValidIdentity:
        return msps.validate(signer.identity.serialized, NOW)

    @pytest.mark.parametrize(
        ("msp_id", "role", "matches"),
        [
            ("Org1MSP", "member", True),
            ("Org1MSP", "client", True),
            ("Org1MSP", "admin", False),
            ("Org1MSP", "peer", False),
            ("Org1MSP", "orderer", False),
            ("Org2MSP", "member", False),
        ],
    )
    def test_role(
        self, msps: MspManager, valid: ValidIdentity, msp_id: str, role: str, matches: bool
    ) -> None:
        assert msps.satisfies(valid, role_principal(msp_id, role)) is matches

    def test_unit_certified_by_the_chain_above(
        self, msps: MspManager, valid: ValidIdentity, ca: ThrowawayCa
    ) -> None:
        chain = hashlib.sha256(low_s_der(read_certificate(pem(ca.certificate)), ca.key.public_key())).digest()
        for unit, certifiers, matches in (
            ("department1", chain, True),
            ("department2", chain, False),
            ("department1", bytes(32), False),
            ("department1", b"", False),
        ):
            body = msp_principal_pb2.OrganizationUnit(
                msp_identifier="Org1MSP",
                organizational_unit_identifier=unit,
                certifiers_identifier=certifiers,
            )
            assert msps.satisfies(valid, principal(KINDS.ORGANIZATION_UNIT, body)) is matches

    def test_identity(
        self, msps: MspManager, valid: ValidIdentity, signer: SigningIdentity, ca: ThrowawayCa
    ) -> None:
        assert msps.satisfies(valid, principal(KINDS.IDENTITY, signer.identity.serialized))
        assert not msps.satisfies(valid, principal(KINDS.IDENTITY, ca.issue("client").identity.serialized))

    def test_combined_needs_every_part(self, msps: MspManager, valid: ValidIdentity) -> None:
        def combined(*parts: bytes) -> bytes:
            messages = [KINDS.FromString(part) for part in parts]
            return principal(KINDS.COMBINED, msp_principal_pb2.CombinedPrincipal(principals=messages))

        member, client, peer = (role_principal("Org1MSP", role) for role in ("member", "client", "peer"))
        assert msps.satisfies(valid, combined(member, combined(client)))
        assert not msps.satisfies(valid, combined(member, peer))
        with pytest.raises(InvalidInputError, match="No principals"):
            msps.satisfies(valid, combined())

    @pytest.mark.parametrize(("kind", "body"), [(KINDS.ANONYMITY, b"\x08\x01"), (9, b"")])
    def test_anonymous_principals_and_unknown_kinds_are_refused(
        self, msps: MspManager, valid: ValidIdentity, kind: int, body: bytes
    ) -> None:
        with pytest.raises(InvalidInputError, match="invalid principal type"):
            msps.satisfies(valid, principal(kind, body))

    def test_everybody_has_a_name(self, msps: MspManager, valid: ValidIdentity) -> None:
        assert msps.satisfies(valid, principal(KINDS.ANONYMITY, b""))


def test_a_certificates_high_s_signature_is_brought_to_low_s() -> None:
    half = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2
    seen = set()
    for _ in range(200):
        ca = ThrowawayCa.root()
        fixed = x509.load_der_x509_certificate(
            low_s_der(read_certificate(pem(ca.certificate)), ca.key.public_key())
        )
        fixed.verify_directly_issued_by(ca.certificate)
        assert fixed.tbs_certificate_bytes == ca.certificate.tbs_certificate_bytes
        assert decode_dss_signature(fixed.signature)[1] <= half
        seen.add(fixed == ca.certificate)
        if len(seen) == 2:
            return
    pytest.fail("200 signatures, all of them on one side of half the order")
