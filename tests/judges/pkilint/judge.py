"""Lints every certificate and CRL of a folder with pkilint, in one process.

Prints a line `file TAB linter TAB code TAB severity` for each finding above info, and `file TAB` for each
file read.
"""

import pathlib
import sys

from pkilint import loader, pkix
from pkilint.pkix import certificate, crl, extension, name
from pkilint.validation import ValidationFindingSeverity

CERTIFICATES = certificate.create_pkix_certificate_validator_container(
    certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
    [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ],
)
CRLS = crl.create_pkix_crl_validator_container(
    [
        pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
        pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
    ],
    [
        crl.create_issuer_validator_container([]),
        crl.create_validity_validator_container([]),
        crl.create_extensions_validator_container([]),
    ],
)
KINDS = {
    ".crt": (loader.RFC5280CertificateDocumentLoader(), CERTIFICATES),
    ".crl": (loader.RFC5280CertificateListDocumentLoader(), CRLS),
}


def judge(path):
    reader, validator = KINDS[path.suffix]
    print(f"{path.name}\t")
    try:
        document = reader.load_der_document(path.read_bytes(), path.name)
    except ValueError as error:
        print(f"{path.name}\tpkilint\tunreadable: {error}\terror")
        return
    for result in validator.validate(document.root):
        for description in result.finding_descriptions:
            finding = description.finding
            if finding.severity < ValidationFindingSeverity.INFO:
                print(f"{path.name}\tpkilint\t{finding.code}\t{finding.severity.name.lower()}")


for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    if path.suffix in KINDS:
        judge(path)
