//! All scenarios by name, and the ways to run them.

use std::time::Duration;

use futures_util::future::{Either, LocalBoxFuture, select};

use crate::backend::{Backend, Capabilities, Exception, Expected};
use crate::outcome::{Failure, Outcome};
use crate::scenarios;

/// How long one scenario may take before it counts as hanging.
/// Wine has a process of its own asked about each use of a socket.
const SCENARIO_TIMEOUT: Duration = Duration::from_secs(if cfg!(windows) { 120 } else { 30 });

/// Hands the table of all scenarios to a macro: `module { name [NEEDS]; … } …`.
///
/// A test file makes a test of each with it. The needs are names of [`Capabilities`].
#[macro_export]
macro_rules! for_each_scenario {
    ($callback:ident) => {
        $callback! {
            close_local {
                ignores_what_the_peer_still_writes [];
                refuses_1004 [];
                refuses_2999 [];
                refuses_5000 [];
                refuses_codes_that_are_only_reported [];
                refuses_a_reason_of_124_bytes [];
                takes_a_reason_of_123_bytes [];
                without_a_code_reaches_the_peer_as_1005 [];
                reaches_the_peer_with_1000 [];
                reaches_the_peer_with_3000 [];
                reaches_the_peer_with_4999 [];
                reaches_the_peer_with_3000_and_a_reason [];
                again_changes_nothing [];
                then_text_is_handed_back [];
                then_binary_is_handed_back [];
                is_told_by_close_info [];
                lets_what_is_queued_leave_first [];
                comes_behind_a_large_message [];
                ends_though_the_peer_never_answers [];
            }
            close_remote {
                is_the_only_event [];
                then_text_and_binary_are_handed_back [];
                then_close_tells_the_same [];
                with_an_invalid_reason_is_an_error [];
                with_3001_is_an_error [];
                with_1000_ends_the_stream [];
                with_1001_ends_the_stream [];
                without_a_code_ends_the_stream [];
                after_a_message_comes_behind_it [];
                late_ends_a_waiting_reader [];
                is_told_to_a_program_that_never_reads [];
            }
            connecting {
                refuses_a_url_of_https [CONNECT];
                refuses_what_is_no_url [CONNECT];
                fails_on_200_in_place_of_101 [CONNECT REFUSAL];
                tells_the_status_and_body_of_404 [CONNECT REFUSAL];
                tells_the_status_and_body_of_401 [CONNECT REFUSAL];
                reports_a_failure_to_all_who_wait_and_on_the_stream_once [CONNECT];
                tells_all_who_wait_that_it_is_open [CONNECT];
                times_out [CONNECT];
                queues_what_is_sent_before [CONNECT];
                closes_at_once_if_nothing_is_queued [CONNECT];
                delivers_what_is_queued_though_it_is_closed_before [CONNECT];
                keeps_what_comes_with_the_101 [CONNECT];
                passes_through_the_states [CONNECT];
                then_losing_the_peer_is_one_error [];
                then_a_reset_is_one_error [CONNECT RESET];
            }
            payload {
                empty_text [];
                empty_binary [];
                text [];
                binary [];
                text_of_120_kb [];
                binary_of_1_mb [];
                binary_of_16_mib [];
                emoji [];
                korean [];
                text_and_binary_keep_their_order [];
                pr14_what_was_prepared_comes_as_any_message [];
                fragments_become_one_message [];
            }
            peer_errors {
                garbage_without_a_write [];
                garbage_after_a_write [];
                keep_what_came_before [];
                reserved_bit [];
                reserved_opcode [];
                masked_frame [STRICT];
                text_that_is_not_utf8 [];
                fragmented_ping [];
                ping_of_126_bytes [];
                continuation_of_nothing [];
                message_inside_a_message [];
                close_code_1004 [];
                close_body_of_one_byte [STRICT];
                message_over_the_limit [];
            }
            subprotocols {
                none_is_offered [CONNECT];
                one_is_offered_and_chosen [CONNECT];
                several_are_offered_in_order [CONNECT];
                the_last_of_several_is_chosen [CONNECT];
                one_that_was_not_offered_fails [CONNECT];
                one_chosen_though_none_was_offered_fails [CONNECT STRICT];
                none_chosen_opens_without [CONNECT NO_SUBPROTOCOL];
                a_name_that_is_no_token_is_refused [CONNECT];
                the_same_name_twice_is_refused [CONNECT];
            }
            handles {
                drop_delivers_what_is_queued_then_closes [];
                drop_before_it_is_open_does_so_too [CONNECT];
                drop_closes_the_senders [];
                receiver_dropped_discards_what_comes [];
                receiver_alone_keeps_it_open [];
                last_half_dropped_closes [];
                watch_does_not_keep_it_open [];
                snapshots_dropped_close [];
                sender_keeps_snapshots_open [];
                halves_in_two_tasks [];
                sender_closes_from_another_task [];
            }
            queue {
                full_hands_the_message_back [];
                full_makes_send_wait [];
                full_does_not_keep_close_from_ending [];
                takes_one_message_of_any_size [];
                is_empty_after_a_flush [];
                waits_for_a_reader_that_stops [];
                makes_the_peer_wait_for_a_reader [BACKPRESSURE];
                tells_of_a_close_behind_unread_messages [BACKPRESSURE];
                loses_nothing_when_recv_is_dropped [];
                is_a_stream_and_a_sink [];
            }
            reconnecting {
                re1_a_first_try_that_fails_is_made_again [];
                re24_the_loss_tells_of_the_peers_close_frame [];
                re25_a_close_without_a_code_is_tried_again [];
                re26_a_server_that_is_done_ends_it [];
                re27_each_code_has_its_verdict [];
                re30_the_program_decides_and_is_asked_once [];
                re40_a_greeting_goes_before_what_is_queued [];
                re44_a_hook_that_fails_closes_and_one_that_stops_ends [];
                re45_each_try_has_its_own_token [];
                re49_a_before_try_that_fails_is_a_failed_try [];
                re50_one_that_hangs_is_dropped [];
                re79_tries_that_are_asked_for_begin_a_second_apart [];
                re99_the_states_through_a_whole_life [];
            }
            reconnecting_queue {
                re55_re56_a_full_queue_hands_back_and_send_waits [];
                re57_a_send_that_waits_learns_of_the_end [];
                re65_one_message_of_any_size_fits [];
                re71_flush_tells_of_what_was_in_flight [WRITTEN];
                re72_flush_waits_for_what_is_queued [];
                re74_events_stand_between_the_messages [];
                re75_recv_passes_over_them_and_knows_the_connection [];
                re80_an_open_connection_is_exchanged [];
                re80_what_the_old_one_says_reaches_nobody [];
            }
            reconnecting_handles {
                re31_close_ends_a_wait_at_once [];
                re32_what_is_queued_gets_one_try_behind_the_hook [];
                re35_dropped_while_it_waits_it_tries_no_more [];
                re36_dropped_while_it_tries_it_closes_the_socket [LETS_GO];
                re81_a_pause_lasts_until_it_is_ended [LETS_GO];
                re81_a_wait_can_be_paused [];
                re82_close_while_paused_sends_what_is_queued [];
                re82_close_while_paused_ends_at_once [];
                re102_snapshots_keep_the_data_through_a_loss [];
                re104_snapshots_end_once_with_the_error [];
                re110_a_receiver_that_is_dropped_holds_up_nothing [];
            }
            reconnecting_heartbeat {
                re86_a_silent_peer_is_asked_and_given_up [];
                re87_a_peer_that_answers_stays_and_its_answers_are_not_given_out [];
            }
            snapshots {
                pass_through_none_waiting_active_done [];
                keep_the_data_beside_an_error [];
                have_an_error_without_data [];
                are_done_at_once [];
                show_a_failed_connect [CONNECT];
                end_after_done [];
                take_no_message_from_recv [];
                keep_up_with_a_burst [];
                keep_up_with_10_000_echoes [];
                call_on_change_once_for_each_look [];
            }
            typed {
                ts1_values_come_back [];
                ts5_goes_on_behind_what_is_no_value [];
                ts7_values_go_on_over_the_next_connection [];
                ts8_what_is_no_json_is_not_sent [];
            }
            wrapping {
                a_socket_that_connects [CONNECT];
                a_socket_that_is_open [];
                a_socket_that_is_closed [];
            }
        }
    };
}

/// One scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The group that it belongs to.
    pub module: &'static str,
    /// What it holds, as a test's name.
    pub name: &'static str,
    /// What it needs of the backend.
    pub needs: Capabilities,
    /// Runs it.
    pub run: for<'a> fn(&'a dyn Backend) -> LocalBoxFuture<'a, Outcome>,
}

impl Scenario {
    /// `module::name`.
    pub fn path(&self) -> String {
        format!("{}::{}", self.module, self.name)
    }

    /// The backend's exception for it, if there is one.
    fn exception<'a>(&self, backend: &'a dyn Backend) -> Option<&'a Exception> {
        let path = self.path();
        let mut exceptions = backend.exceptions().iter();
        exceptions.find(|exception| exception.scenario == path)
    }

    /// Runs it, and fails it if it hangs; or holds it to be an exception.
    async fn run_in_time(&self, backend: &dyn Backend) -> Outcome {
        let exception = self.exception(backend);
        if exception.is_some_and(|exception| exception.expected == Expected::Either) {
            return Ok(());
        }
        let outcome = match select((self.run)(backend), backend.sleep(SCENARIO_TIMEOUT)).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => Err(Failure::new(format!("no end within {SCENARIO_TIMEOUT:?}"))),
        };
        match (exception, outcome) {
            (None, outcome) => outcome,
            (Some(_), Err(_)) => Ok(()),
            (Some(exception), Ok(())) => Err(Failure::new(format!(
                "it holds, and is an exception still: {}",
                exception.reason
            ))),
        }
    }
}

macro_rules! table {
    ($($module:ident { $($name:ident [$($need:ident)*];)* })*) => {
        /// All scenarios.
        pub const SCENARIOS: &[Scenario] = &[$($(
            Scenario {
                module: stringify!($module),
                name: stringify!($name),
                needs: Capabilities::NONE$(.with(Capabilities::$need))*,
                run: |backend| Box::pin(scenarios::$module::$name(backend)),
            },
        )*)*];
    };
}

for_each_scenario!(table);

/// What one run of all scenarios came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many hold.
    pub passed: usize,
    /// How many do not, or do though they are exceptions.
    pub failed: usize,
    /// How many are exceptions of the backend.
    pub excepted: usize,
}

/// Runs every scenario, one after the other, and reports a line for each, then the counts.
pub async fn run_all(backend: &dyn Backend, report: &mut dyn FnMut(&str)) -> Summary {
    let mut summary = Summary::default();
    for scenario in SCENARIOS {
        let path = scenario.path();
        let outcome = scenario.run_in_time(backend).await;
        match (outcome, scenario.exception(backend)) {
            (Ok(()), Some(exception)) => {
                summary.excepted += 1;
                report(&format!("{path} ... exception: {}", exception.reason));
            }
            (Ok(()), None) => {
                summary.passed += 1;
                report(&format!("{path} ... ok"));
            }
            (Err(failure), _) => {
                summary.failed += 1;
                report(&format!("{path} ... FAILED: {failure:?}"));
            }
        }
    }
    let Summary {
        passed,
        failed,
        excepted,
    } = summary;
    let count = SCENARIOS.len();
    report(&format!(
        "{count} scenarios: {passed} ok, {failed} failed, {excepted} exceptions"
    ));
    summary
}

/// Runs one scenario by its `module::name`. One that is an exception is held to fail, where it always does.
///
/// # Errors
/// What it saw that is not as it should be, that it holds though it is an exception, or that there is no
/// such scenario.
pub async fn run_named(backend: &dyn Backend, path: &str) -> Outcome {
    let found = SCENARIOS.iter().find(|scenario| scenario.path() == path);
    match found {
        Some(scenario) => scenario.run_in_time(backend).await,
        None => Err(Failure::new(format!("there is no scenario {path}"))),
    }
}

/// Holds a backend's exceptions to be those scenarios that need what it cannot do, and no others.
///
/// # Errors
/// The first scenario that is listed or left out wrongly.
pub fn check_exceptions(backend: &dyn Backend) -> Outcome {
    let exceptions = backend.exceptions();
    for exception in exceptions {
        let mut scenarios = SCENARIOS.iter();
        let is_known = scenarios.any(|scenario| scenario.path() == exception.scenario);
        ensure!(is_known, "{}", exception.scenario);
    }
    for scenario in SCENARIOS {
        let is_listed = scenario.exception(backend).is_some();
        let can_run = backend.capabilities().contains(scenario.needs);
        ensure!(is_listed != can_run, "{}", scenario.path());
    }
    Ok(())
}
