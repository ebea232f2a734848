//! A private key in a file, which may be encrypted.

use std::path::Path;

use pkcs8::{EncryptedPrivateKeyInfo, LineEnding, SecretDocument};

use crate::exit::{self, Failure};
use crate::files;

/// Reads the key of `--key` in PEM, and decrypts it (PKCS #8, RFC 5958 §3) if that is needed.
pub(super) fn read(path: &Path, passphrase: Option<&Path>) -> Result<String, Failure> {
    let pem = files::read("--key", path)?;
    if !pem.contains("ENCRYPTED") {
        return Ok(pem);
    }
    let failed = |what: &str| Failure::new(exit::USAGE, files::complaint("--key", path, what));
    let Some(file) = passphrase else {
        return Err(failed(
            "it is encrypted: give a file with its passphrase by --key-passphrase",
        ));
    };
    let passphrase = files::read_text("--key-passphrase", file)?;
    let passphrase = passphrase.lines().next().unwrap_or_default();
    let unreadable = "it is encrypted in a way that is not known here: convert it with `openssl pkcs8 -topk8 -v2 aes-256-cbc`";
    let (_, document) = SecretDocument::from_pem(&pem).map_err(|_| failed(unreadable))?;
    let encrypted = EncryptedPrivateKeyInfo::try_from(document.as_bytes());
    let encrypted = encrypted.map_err(|_| failed(unreadable))?;
    let decrypted = encrypted.decrypt(passphrase).map_err(|_| {
        failed("the passphrase of --key-passphrase does not open it: give the right one")
    })?;
    let pem = decrypted.to_pem("PRIVATE KEY", LineEnding::LF);
    pem.map(|pem| pem.to_string())
        .map_err(|_| failed(unreadable))
}
