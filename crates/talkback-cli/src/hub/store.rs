//! Where a hub's topics are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use talkback_topics::{Keep, Redis, RedisError, Topics};
use tracing::info;

use crate::args::RedisArgs;
use crate::exit::{self, Failure};
use crate::files;
use crate::values::Secret;

/// Topics in memory, or over a Redis: one that is not reached at the moment is tried again for ever.
pub(super) async fn topics(args: &RedisArgs, keep: Keep) -> Result<Topics, Failure> {
    let Some(url) = &args.redis else {
        return Ok(Topics::keeping(keep));
    };
    let Secret(url) = files::secret("--redis", url)?;
    let mut connecting = Redis::connect(&url).keep(keep.clone());
    if let Some(path) = &args.redis_ca {
        connecting = connecting.tls_roots(files::read("--redis-ca", path)?);
    }
    let redis = connecting.await.map_err(|error| failed(&error))?;
    Ok(Topics::over_keeping(redis, keep))
}

fn failed(error: &RedisError) -> Failure {
    let (code, option) = match error {
        RedisError::Roots(_) => (exit::USAGE, "--redis-ca"),
        RedisError::Refused(_) => (exit::OTHER, "--redis"),
        _ => (exit::USAGE, "--redis"),
    };
    Failure::new(code, format!("{option}: {error}"))
}

/// What is said at `/ready` of topics over a backplane. Until that was reached once nobody is served well; if it is lost later, it is so
/// for all hubs, of which none is better than another.
pub(super) fn readiness(
    topics: &Topics,
    args: &RedisArgs,
) -> impl Fn() -> Result<String, String> + Send + Sync + 'static {
    let was_up = Arc::new(AtomicBool::new(false));
    let (topics, needs_it) = (topics.clone(), args.ready_needs_backplane);
    let (waiting, seen) = (topics.clone(), Arc::clone(&was_up));
    tokio::spawn(async move {
        waiting.up().await;
        seen.store(true, Ordering::Relaxed);
        info!(target: "hub", "the backplane is reached");
    });
    move || {
        let is_up = topics.is_up();
        let state = if is_up { "up" } else { "down" };
        let is_ready = is_up || was_up.load(Ordering::Relaxed) && !needs_it;
        let told = format!("{{\"ready\":{is_ready},\"backplane\":\"{state}\"}}");
        match is_ready {
            true => Ok(told),
            false => Err(told),
        }
    }
}
