// The code that talks to a server, for the URL and the subprotocols in use.

const rust = (text) => `"${text.replace(/["\\]/g, "\\$&")}"`;
const dart = (text) => `'${text.replace(/['\\$]/g, "\\$&")}'`;
const list = (names, quoted) => names.map(quoted).join(", ");

const languages = {
  Rust: (url, subprotocols) => `// cargo add talkback && cargo add tokio --features macros,rt-multi-thread
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut channel = talkback::connect(${rust(url)})${subprotocols.map((name) => `\n        .subprotocol(${rust(name)})`).join("")}${subprotocols.length ? "\n        " : ""}.channel();
    channel.send("Hello!").await?;
    while let Some(message) = channel.recv().await? {
        println!("{message}");
    }
    Ok(())
}`,
  Dart: (url, subprotocols) => `// dart pub add web_socket_channel
import 'package:web_socket_channel/web_socket_channel.dart';

Future<void> main() async {
  final channel = WebSocketChannel.connect(
    Uri.parse(${dart(url)}),${subprotocols.length ? `\n    protocols: [${list(subprotocols, dart)}],` : ""}
  );
  await channel.ready;
  channel.sink.add('Hello!');
  await for (final message in channel.stream) {
    print(message);
  }
}`,
  JavaScript: (url, subprotocols) => `const socket = new WebSocket(${JSON.stringify(url)}${subprotocols.length ? `, [${list(subprotocols, JSON.stringify)}]` : ""});
socket.onopen = () => socket.send("Hello!");
socket.onmessage = ({ data }) => console.log(data);
socket.onclose = ({ code, reason }) => console.log("closed", code, reason);`,
};

export const codeFor = (language, url, subprotocols) => languages[language](url, subprotocols);
