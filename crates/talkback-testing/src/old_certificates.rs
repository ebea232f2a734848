//! Certificates as old devices and old habits have them, valid until 2126.

/// X.509 version 1, which has no extensions and so names no host:
/// `openssl req -new -key key.pem -subj /CN=localhost -out csr.pem`, and
/// `openssl x509 -req -in csr.pem -signkey key.pem -days 36500`.
pub const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBJTCBywIUEZYDM2mljAt3NXr0LRhNP4LwkG4wCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyOTE1MDIyOFoYDzIxMjYxMTA1MTUwMjI4
WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AATpMP90BorJMvL4vbHkVF67a9xalYQiREqJT9XlL0wJ8xFNqZ8cChRGzWEP2fp3
5+/Jmh5rXH2YG3PGc9ryCMHvMAoGCCqGSM49BAMCA0kAMEYCIQCQmQVW/vsqfJ5o
TBNDYosAVuPn6EQTSimDRiXsj9jZYAIhAPXIPS0TW66fLZ6IV5G2szbTetcNTBcd
6kX+SuY0+E8/
-----END CERTIFICATE-----
";

/// A key of 1,024 bits: `openssl req -new -x509 -key rsa1024.pem -subj /CN=localhost` with
/// `-addext subjectAltName=DNS:localhost -days 36500`.
pub const RSA_1024: &str = "\
-----BEGIN CERTIFICATE-----
MIICHDCCAYWgAwIBAgIUbFDAopirChvPsHNMj/ErHeykzpswDQYJKoZIhvcNAQEL
BQAwFDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyOTE1MDIyOFoYDzIxMjYx
MTA1MTUwMjI4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwgZ8wDQYJKoZIhvcNAQEB
BQADgY0AMIGJAoGBAPonwrVGAbfqOYv+gcUoEqurqMASCj75hu8kC8j5G14nFaKN
SuDUADnJ4IxaZSQwDKkA21JVYVnxsc4F/qjU8rTc7a9Z8UhMG53SBt12ahf83vKF
Uh28xTNoDbRA4GHhGgG45KNIA6boDx2eIwJhrs7Vj5gnbgDcaYXAVbD3uMxTAgMB
AAGjaTBnMB0GA1UdDgQWBBS/P+53yZIS450irZ+WioIHRK9BDjAfBgNVHSMEGDAW
gBS/P+53yZIS450irZ+WioIHRK9BDjAPBgNVHRMBAf8EBTADAQH/MBQGA1UdEQQN
MAuCCWxvY2FsaG9zdDANBgkqhkiG9w0BAQsFAAOBgQAkIQ00EIw62ECcy3kx/Dyw
x7sUcSp5IfQ0WQHGf02MBpZbTsMRT9yK1W4NurU+JpdgyTipQB02IlZvIQfhKJf8
kQzt0Yev+Awoq47LQZeg9tD/bsC9jFsQ6WU96Ujs63xL+Kii9xdOaAx9YwVLRNsE
d0VKN399tfPsABKBB5tSSw==
-----END CERTIFICATE-----
";
