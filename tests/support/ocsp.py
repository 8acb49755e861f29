# SPDX-License-Identifier: Apache-2.0
"""OCSP responses of one authority in base64, and what HAProxy answers about them."""

GOOD = (
    'MIIBAQoBAKCB+zCB+AYJKwYBBQUHMAEBBIHqMIHnMIGOoRQwEjEQMA4GA1UEAwwHVGVzdCBDQRgPMjAyNjExMjYxODI4N'
    'TJaMGUwYzA7MAkGBSsOAwIaBQAEFL9wUsi5wPdgyJEj4JmBXrLAOUImBBT7bmDsTOh/ugVHVit+ryh51HNjYAICEACAAB'
    'gPMjAyNjExMjYxODI4NTJaoBEYDzIwMjYxMjA2MTgyODUyWjAKBggqhkjOPQQDAgNIADBFAiEA0EaE68+0mMvexWJkA0d'
    'hZT9W/+cxovF/afRH2x7S5w0CIBwm79kIf89XCNhZQI1loiRWHQZC1YsaHnRNGsiN0XVt')
# It names its signer by a key, and ends earlier.
EARLIER = (
    'MIIBAwoBAKCB/TCB+gYJKwYBBQUHMAEBBIHsMIHpMIGQohYEFPtuYOxM6H+6BUdWK36vKHnUc2NgGA8yMDI2MTEyNjE4M'
    'jg1MlowZTBjMDswCQYFKw4DAhoFAAQUv3BSyLnA92DIkSPgmYFessA5QiYEFPtuYOxM6H+6BUdWK36vKHnUc2NgAgIQAI'
    'AAGA8yMDI2MTEyNjE4Mjg1MlqgERgPMjAyNjExMjYxOTU4NTJaMAoGCCqGSM49BAMCA0gAMEUCIHERQC4bNjkPIuSk0D2'
    't5TkjZs9UptLX2vlCLlqGVc+XAiEAy0pEpn1qLT/E5wJ5QlqMqVXU5Kcp9XLMHr6iVre66Ng=')
REVOKED = (
    'MIIBFQoBAKCCAQ4wggEKBgkrBgEFBQcwAQEEgfwwgfkwgZ+hFDASMRAwDgYDVQQDDAdUZXN0IENBGA8yMDI2MTEyNjE4M'
    'jg1MlowdjB0MDswCQYFKw4DAhoFAAQUv3BSyLnA92DIkSPgmYFessA5QiYEFPtuYOxM6H+6BUdWK36vKHnUc2NgAgIQAK'
    'ERGA8yMDI2MTEyNjE4Mjg1MloYDzIwMjYxMTI2MTgyODUyWqARGA8yMDI2MTIwNjE4Mjg1MlowCgYIKoZIzj0EAwIDSQA'
    'wRgIhAKYHoD2JguSyl0Bmr3a9iSAKrX5B3wM5Cg7YckpswhsgAiEAiq2CJcSAXWBSEIZIykjEA0eKDtqv5m7Wgygum6QQ'
    'TaI=')
# About two certificates.
TWO = (
    'MIIBRAoBAKCCAT0wggE5BgkrBgEFBQcwAQEEggEqMIIBJjCBzqEUMBIxEDAOBgNVBAMMB1Rlc3QgQ0EYDzIwMjYxMTI2M'
    'TgyODUyWjCBpDBQMDswCQYFKw4DAhoFAAQUv3BSyLnA92DIkSPgmYFessA5QiYEFPtuYOxM6H+6BUdWK36vKHnUc2NgAg'
    'IQAIAAGA8yMDI2MTEyNjE4Mjg1MlowUDA7MAkGBSsOAwIaBQAEFL9wUsi5wPdgyJEj4JmBXrLAOUImBBT7bmDsTOh/ugV'
    'HVit+ryh51HNjYAICEAGAABgPMjAyNjExMjYxODI4NTJaMAoGCCqGSM49BAMCA0cAMEQCIFUpOXmXLTHi49+jYvQmah7z'
    'e0ZrOvW60X+9509B5SnAAiBynxsw5olaPWsPliaCXthENEwrn/AcHP8BN69nmYvjIw==')
ID = ('303b300906052b0e03021a05000414bf7052c8b9c0f760c89123e099815eb2c039422604'
      '14fb6e60ec4ce87fba0547562b7eaf2879d473636002021000')
PATH = '/etc/haproxy/www.pem'

# The reply to `show ssl ocsp-response`, before 2.8 and since.
IDS_OLD = """\
# Certificate IDs
Certificate ID key : {0}
 Certificate ID:
   Issuer Name Hash: BF7052C8B9C0F760C89123E099815EB2C0394226
   Issuer Key Hash: FB6E60EC4CE87FBA0547562B7EAF2879D4736360
   Serial Number: 1000

""".format(ID)
IDS = IDS_OLD.replace('\n Certificate ID:', '\nCertificate path : ' + PATH + '\n Certificate ID:')
NO_IDS = '# Certificate IDs\n\n'
# The reply to `show ssl ocsp-response ID`.
DETAILS = """\
OCSP Response Data:
    OCSP Response Status: successful (0x0)
    Response Type: Basic OCSP Response
    Version: 1 (0x0)
    Responder Id: CN = Test CA
    Produced At: Nov 26 18:28:52 2026 GMT
    Responses:
    Certificate ID:
      Hash Algorithm: sha1
      Issuer Name Hash: BF7052C8B9C0F760C89123E099815EB2C0394226
      Issuer Key Hash: FB6E60EC4CE87FBA0547562B7EAF2879D4736360
      Serial Number: 1000
    Cert Status: good
    This Update: Nov 26 18:28:52 2026 GMT
    Next Update: Dec  6 18:28:52 2026 GMT
{blank}
    Response Extensions:
        OCSP Nonce:{blank}
            04101A8529341190066A6DD1D2A30CD6C707
    Signature Algorithm: ecdsa-with-SHA256
    Signature Value:
        30:44:02:20:0d:7b:3a:24:36:4d:c1:0d:b9:86:0b:6e:76:5a
Certificate:
    Data:
        Version: 3 (0x2)

""".format(blank=' ')
DETAILS_REVOKED = DETAILS.replace(
    'good\n', 'revoked\n    Revocation Time: Nov 26 18:28:52 2026 GMT\n')
UPDATES = ('OCSP Certid | Path | Next Update | Last Update | Successes | Failures | '
           'Last Update Status | Last Update Status (str)\n')
# What versions answer about a response that they do not have.
UNKNOWN = {
    '2.6': 'Certificate ID does not match any certificate.\n\n',
    '2.8': "'show ssl ocsp-response' expects a valid certid or certificate path.\n\n",
    '3.2': 'Certificate ID or path does not match any certificate.\n\n'}
NO_MATCH = 'OCSP single response: Certificate ID does not match any certificate or issuer.\n\n'
DONE = 'OCSP Response updated!\n\n'
SET = 'set ssl ocsp-response '
SHOW = 'show ssl ocsp-response'
SHOW_DER = SHOW + ' base64 ' + ID
SHOW_UPDATES = 'show ssl ocsp-updates'


def update(successes, failures, status='1 | Update successful', path=PATH):
    """Return the reply to `show ssl ocsp-updates` with one response."""
    return UPDATES + ('{0} | {1} | 26/Nov/2026:19:15:12 +0000 | 26/Nov/2026:18:15:12 +0000 | '
                      '{2} | {3} | {4}\n\n').format(ID, path, successes, failures, status)
