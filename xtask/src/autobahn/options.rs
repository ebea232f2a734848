//! What a person asks for: roles, transports, cases.

use std::ffi::OsString;

/// Which end of ours is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Server,
    Client,
}

/// What WebSocket is spoken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Tls,
}

impl Transport {
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "ws",
            Self::Tls => "wss",
        }
    }
}

/// Which of the client's handles is tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Handle {
    #[default]
    Socket,
    Channel,
}

/// One pass over the cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) role: Role,
    pub(super) transport: Transport,
    pub(super) handle: Handle,
}

impl Run {
    /// `server ws`, `client wss (channel)`
    pub(super) fn name(self) -> String {
        let role = match self.role {
            Role::Server => "server",
            Role::Client => "client",
        };
        let handle = match self.handle {
            Handle::Socket => "",
            Handle::Channel => " (channel)",
        };
        format!("{role} {}{handle}", self.transport.scheme())
    }
}

/// The passes to make, and over which cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) runs: Vec<Run>,
    /// Lists of the suite's patterns, such as `9.*`; each goes to a process of its own.
    pub(super) parts: Vec<Vec<String>>,
    /// Whether these are all cases that there are.
    pub(super) is_whole: bool,
}

/// All cases in two lists that take about as long: a process of the suite uses one core only.
const PARTS: [&str; 2] = [
    "1.*,2.*,3.*,4.*,5.*,6.*,7.*,9.*,10.*,12.1.*,12.2.*,12.3.*,12.5.*",
    "12.4.*,13.*",
];

impl Options {
    pub(super) fn parse(arguments: &[OsString]) -> Result<Self, String> {
        let (mut roles, mut transports) = (Vec::new(), Vec::new());
        let (mut handle, mut cases) = (Handle::Socket, None);
        let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy());
        while let Some(argument) = arguments.next() {
            match &*argument {
                "server" => roles.push(Role::Server),
                "client" => roles.push(Role::Client),
                "ws" => transports.push(Transport::Tcp),
                "wss" => transports.push(Transport::Tls),
                "--channel" => handle = Handle::Channel,
                "--cases" => {
                    let list = arguments
                        .next()
                        .ok_or("--cases wants a list, such as 1.*,9.1.6")?;
                    cases = Some(patterns(&list)?);
                }
                other => return Err(format!("unknown argument {other}")),
            }
        }
        if handle == Handle::Channel {
            if roles.contains(&Role::Server) {
                return Err("--channel is for the client".to_owned());
            }
            roles = vec![Role::Client];
        }
        let is_whole = cases.is_none();
        Ok(Self {
            runs: runs(&roles, &transports, handle),
            parts: match cases {
                Some(cases) => vec![cases],
                None => PARTS.iter().map(|part| split(part)).collect(),
            },
            is_whole,
        })
    }
}

impl Options {
    /// Each role once, and each transport.
    pub(super) fn for_step() -> Self {
        let run = |role, transport| Run {
            role,
            transport,
            handle: Handle::Socket,
        };
        Self {
            runs: vec![
                run(Role::Server, Transport::Tcp),
                run(Role::Client, Transport::Tls),
            ],
            parts: PARTS.iter().map(|part| split(part)).collect(),
            is_whole: true,
        }
    }
}

/// Every role over every transport, of those that were named, or of all.
fn runs(roles: &[Role], transports: &[Transport], handle: Handle) -> Vec<Run> {
    let of = |role: Role| {
        [Transport::Tcp, Transport::Tls].map(|transport| Run {
            role,
            transport,
            handle,
        })
    };
    let all = [Role::Server, Role::Client].into_iter().flat_map(of);
    all.filter(|run| roles.is_empty() || roles.contains(&run.role))
        .filter(|run| transports.is_empty() || transports.contains(&run.transport))
        .collect()
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(str::to_owned).collect()
}

/// A list of the suite's patterns: numbers with dots, and stars.
fn patterns(list: &str) -> Result<Vec<String>, String> {
    let is_pattern = |pattern: &String| {
        let is_part = |c: char| c.is_ascii_digit() || c == '.' || c == '*';
        !pattern.is_empty() && pattern.chars().all(is_part)
    };
    let patterns = split(list);
    match patterns.iter().find(|pattern| !is_pattern(pattern)) {
        None => Ok(patterns),
        Some(pattern) => Err(format!(
            "{pattern:?} is no pattern of cases, such as 1.* or 9.1.6"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &str) -> Result<(Vec<String>, Options), String> {
        let arguments: Vec<_> = arguments.split_whitespace().map(OsString::from).collect();
        let options = Options::parse(&arguments)?;
        let names = options.runs.iter().map(|run| run.name()).collect();
        Ok((names, options))
    }

    #[test]
    fn nothing_named_means_everything() {
        let (names, options) = parse("").unwrap();
        assert_eq!(
            names,
            ["server ws", "server wss", "client ws", "client wss"]
        );
        assert!(options.is_whole);
        assert_eq!(options.parts.len(), 2);
    }

    #[test]
    fn what_is_named_narrows_it_down() {
        assert_eq!(parse("server").unwrap().0, ["server ws", "server wss"]);
        assert_eq!(parse("wss").unwrap().0, ["server wss", "client wss"]);
        assert_eq!(parse("--channel ws").unwrap().0, ["client ws (channel)"]);
        let (names, options) = parse("client ws --cases 1.*,9.1.6").unwrap();
        assert_eq!(names, ["client ws"]);
        assert_eq!(options.parts, [["1.*", "9.1.6"]]);
        assert!(!options.is_whole);
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for arguments in [
            "sever",
            "--cases",
            "--cases 1,",
            "--cases \"1",
            "server --channel",
        ] {
            assert!(parse(arguments).is_err(), "{arguments}");
        }
    }
}
