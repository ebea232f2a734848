//! A certificate in one line.

use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Whose it is, who vouches for it and from when until when it is good.
pub(super) fn line(der: &[u8]) -> String {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return format!("{} bytes that cannot be read", der.len());
    };
    let names = certificate.subject_alternative_name().ok().flatten();
    let names: Vec<String> = names
        .iter()
        .flat_map(|names| &names.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect();
    let names = match names.is_empty() {
        true => String::new(),
        false => format!(" for {}", names.join(", ")),
    };
    format!(
        "{}{names}, by {}, from {} until {}",
        certificate.subject(),
        certificate.issuer(),
        certificate.validity().not_before,
        certificate.validity().not_after,
    )
}
