//! The builder's option to be told how a connection is made.

use crate::connect::Connect;
use crate::connect::progress::{Progress, Watcher};

impl Connect {
    /// Tells this function how each try comes along, and of the bytes that go over the connection then: for
    /// whoever measures how long the lookup, TCP, TLS and the opening handshake take, or looks for a fault.
    ///
    /// It is called while the connection waits, and has to return soon. Of a try that fails the steps before the
    /// failure are told, of each of the [`redirects`](Self::redirects) those of its own.
    ///
    /// ```
    /// # #[cfg(not(target_family = "wasm"))]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async move {
    /// #     let (stream, _) = listener.accept().await.unwrap();
    /// #     talkback::accept(stream).await.unwrap().recv().await
    /// # });
    /// use talkback::Progress;
    ///
    /// let begin = std::time::Instant::now();
    /// let connect = talkback::connect(url).on_progress(move |progress| match progress {
    ///     Progress::Connected { .. } => println!("TCP: {:?}", begin.elapsed()),
    ///     Progress::Answered(response) => println!("{}: {:?}", response.status(), begin.elapsed()),
    ///     _ => {}
    /// });
    /// let socket = connect.await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_progress(mut self, watch: impl Fn(Progress<'_>) + Send + Sync + 'static) -> Self {
        self.watcher = Watcher::new(watch);
        self
    }
}
