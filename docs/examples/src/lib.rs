//! The code of docs/cookbook.md and docs/ui.md is in this package's `examples`.
