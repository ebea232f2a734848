//! native: what is wrong with a header that cannot be sent.

/// A header that cannot be sent, without its value, which may be a secret.
#[derive(Clone)]
pub(crate) struct BadHeader {
    /// The name as far as it is one: behind that there may be a value.
    pub(crate) name: String,
    pub(crate) error: String,
}

impl BadHeader {
    /// Looks for the fault in the name, then in the value (RFC 9110 §5.1, §5.5).
    pub(crate) fn new(name: &str, value: &str) -> Self {
        let size = name.find(|letter| !is_token_letter(letter));
        let error = match size {
            Some(at) => fault_of_name(&name[at..], at),
            None if name.is_empty() => "it has no name: give it one".to_owned(),
            None => fault_of_value(value),
        };
        Self {
            name: name[..size.unwrap_or(name.len())].to_owned(),
            error,
        }
    }

    /// An `Origin` that is none.
    pub(crate) fn origin(value: &str) -> Self {
        let error = match value.find(|letter: char| !letter.is_ascii()) {
            Some(at) => format!(
                "its value has a character beyond ASCII at byte {at}: write the host in its punycode form, which begins with xn--"
            ),
            None => fault_of_value(value),
        };
        let name = "Origin".to_owned();
        Self { name, error }
    }
}

/// What a token consists of (RFC 9110 §5.6.2).
fn is_token_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter)
}

fn fault_of_name(rest: &str, at: usize) -> String {
    let (what, instead) = match rest.chars().next() {
        Some(':') => ("a colon", "give name and value apart"),
        Some(' ' | '\t') => ("white space", "leave it out"),
        Some('\r' | '\n') => ("a line end", "leave it out"),
        Some(letter) if letter.is_ascii_control() => ("a control character", "leave it out"),
        Some(letter) if letter.is_ascii() => ("a character that no name has", "leave it out"),
        _ => ("a character beyond ASCII", "leave it out"),
    };
    format!("its name has {what} at byte {at}: {instead}")
}

fn fault_of_value(value: &str) -> String {
    let is_forbidden = |byte: u8| byte.is_ascii_control() && byte != b'\t';
    match value.bytes().position(is_forbidden) {
        Some(at) if [b'\r', b'\n'].contains(&value.as_bytes()[at]) => {
            let end = match value[at..].trim_end().is_empty() {
                true => ", its end",
                false => "",
            };
            format!("its value has a line end at byte {at}{end}: remove it, as a value is one line")
        }
        Some(at) => format!(
            "its value has a control character at byte {at}: remove it, or percent-encode it if the server decodes that"
        ),
        None => "it is too long".to_owned(),
    }
}
