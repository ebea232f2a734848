//! What an app on Android does for certificates.

/// Called from Kotlin once, in `Application.onCreate`, before anything connects.
pub fn init(
    env: &mut jni::Env<'_>,
    context: jni::objects::JObject<'_>,
) -> Result<(), jni::errors::Error> {
    rustls_platform_verifier::android::init_with_env(env, context)
}
