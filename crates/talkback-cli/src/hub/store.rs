//! Where a hub's topics are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use talkback_topics::{Keep, Redis, RedisError, Topics};
use tokio::time::sleep;
use tracing::info;

use crate::args::RedisArgs;
use crate::exit::{self, Failure};
use crate::files;
use crate::values::Secret;

/// How often it is looked whether the backplane is lost.
const LOOK_EVERY: Duration = Duration::from_millis(250);

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
    let said = error.to_string();
    let said = said.trim_end_matches('.');
    let advice = match said {
        said if said.contains(": NOAUTH ") => {
            ". It wants a password: give redis://:PASSWORD@HOST or redis://USER:PASSWORD@HOST"
        }
        said if said.contains(": WRONGPASS ") => {
            ". Check the password, which stands behind a colon also where there is no user: redis://:PASSWORD@HOST"
        }
        _ => "",
    };
    Failure::new(code, format!("{option}: {said}{advice}"))
}

/// What is said at `/ready` of topics over a backplane. Until that was reached once nobody is served well; if it is lost later, it is so
/// for all hubs, of which none is better than another.
pub(super) fn readiness(
    topics: &Topics,
    args: &RedisArgs,
) -> impl Fn() -> Result<String, String> + Send + Sync + 'static {
    let was_up = Arc::new(AtomicBool::new(false));
    let (topics, needs_it) = (topics.clone(), args.ready_needs_backplane);
    tokio::spawn(tell_reached(topics.clone(), Arc::clone(&was_up)));
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

/// Notes that the backplane was reached, and tells it each time. That it is lost, and why, the library tells.
async fn tell_reached(topics: Topics, was_up: Arc<AtomicBool>) {
    loop {
        topics.up().await;
        was_up.store(true, Ordering::Relaxed);
        info!(target: "hub", "the backplane is reached");
        while topics.is_up() {
            sleep(LOOK_EVERY).await;
        }
    }
}
