"""The features of what calls have in common: of one address, of its newcomers, of one route, of one style or block."""

from kernels.feature import ANSWER, END, NAN, YES_NO, feature

GROUP_CALL_FEATURES = (
    # a campaign that shows another number on each call is known by its address
    feature(
        "source_answered_ratio",
        "ratio",
        "Answer-seizure ratio (ITU-T E.425) of the calls from the address, half-life 1 hour.",
        "{value} of the calls from the address were answered; typical is {typical}",
        source="source",
        unseen=0.6,
    ),
    feature(
        "source_cancelled_ratio",
        "ratio",
        "Calls from the address that were given up before an answer / calls whose outcome is known, half-life 1 hour.",
        "{value} of the calls from the address were given up before an answer; typical is {typical}",
        source="source",
        unseen=0.15,
    ),
    feature(
        "source_one_ring_ratio",
        "ratio",
        "Calls from the address given up within 6 s of ringing / calls whose outcome is known, half-life 1 hour.",
        "{value} of the calls from the address were given up after one ring; typical is {typical}",
        source="source",
        unseen=0.03,
    ),
    feature(
        "source_vacant_ratio",
        "ratio",
        "Calls from the address to numbers that do not exist (404, 410, 484, 604) / calls whose outcome is known, "
        "half-life 1 hour.",
        "{value} of the numbers called from the address do not exist; typical is {typical}",
        source="source",
        unseen=0.02,
    ),
    feature(
        "source_short_ratio",
        "ratio",
        "Calls from the address shorter than 10 s / answered calls whose end was seen, half-life 1 hour.",
        "{value} of the answered calls from the address were over within 10 s; typical is {typical}",
        source="source",
        unseen=0.1,
    ),
    feature(
        "source_long_ratio",
        "ratio",
        "Calls from the address of two minutes and more / answered calls whose end was seen, half-life 1 hour.",
        "{value} of the answered calls from the address lasted two minutes or more; typical is {typical}",
        source="source",
        unseen=0.2,
    ),
    feature(
        "source_talk_mean_s",
        "s",
        "Mean duration of the answered calls from the address, half-life 1 hour.",
        "calls from the address last {value} on average; typical is {typical}",
        source="source",
        unseen=90.0,
    ),
    feature(
        "source_repeated_ratio",
        "ratio",
        "Calls from the address as long, within 2 % or half a second, as one of the four before / answered calls whose "
        "end was seen, half-life 1 hour: a recording.",
        "{value} of the answered calls from the address were as long as one just before; typical is {typical}",
        source="source",
        unseen=0.1,
    ),
    feature(
        "source_successor_ratio",
        "ratio",
        "Calls from the address to a number within 10 above or below the one called just before / calls, half-life 1 "
        "hour.",
        "{value} of the calls from the address went to the number next to the one before; typical is {typical}",
        source="source",
    ),
    feature(
        "source_differing_digits",
        "digits",
        "Mean of `differing_digits` of the calls from the address, half-life 1 hour.",
        "numbers shown from the address differ from the called ones in their last {value} digits; typical is {typical}",
        high=15.0,
        source="source",
        unseen=9.0,
    ),
    feature(
        "source_numbers_day",
        "numbers",
        "Different callers behind the address in the present 12 hours and the 12 before.",
        "{value} different numbers called from the address within the day; typical is {typical}",
        source="source",
    ),
    feature(
        "source_fan_out_ratio",
        "ratio",
        "Different numbers called / calls from the address, over the same 12 to 24 hours.",
        "{value} of the calls from the address went to a number not called before that day; typical is {typical}",
        source="source",
        unseen=0.5,
    ),
    # on a trunk that a campaign shares with honest people, the numbers that nobody knows are its own
    feature(
        "newcomer_ratio",
        "ratio",
        "First three calls of a number, and calls with a number withheld / calls, of the address, half-life 1 hour.",
        "{value} of the calls from the address were among the first three of their number; typical is {typical}",
        source="source",
        unseen=0.5,
    ),
    feature(
        "newcomer_calls_hour",
        "calls",
        "Such calls from the address, half-life 1 hour.",
        "about {value} calls of hardly known numbers came from the address within hours; typical is {typical}",
        source="source",
    ),
    feature(
        "newcomer_answered_ratio",
        "ratio",
        "Answer-seizure ratio of such calls, half-life 1 hour.",
        "{value} of the calls of hardly known numbers of the address were answered; typical is {typical}",
        source="source",
        unseen=0.6,
    ),
    feature(
        "newcomer_one_ring_ratio",
        "ratio",
        "Such calls given up within 6 s of ringing / such calls whose outcome is known, half-life 1 hour.",
        "{value} of the calls of hardly known numbers of the address were given up after one ring; typical is "
        "{typical}",
        source="source",
        unseen=0.03,
    ),
    feature(
        "newcomer_short_ratio",
        "ratio",
        "Such calls shorter than 10 s / such calls that were answered and whose end was seen, half-life 1 hour.",
        "{value} of the answered calls of hardly known numbers of the address were over within 10 s; typical is "
        "{typical}",
        source="source",
        unseen=0.1,
    ),
    feature(
        "newcomer_talk_mean_s",
        "s",
        "Mean duration of such calls that were answered, half-life 1 hour.",
        "calls of hardly known numbers of the address last {value} on average; typical is {typical}",
        source="source",
        unseen=90.0,
    ),
    feature(
        "newcomer_differing_digits",
        "digits",
        "Mean of `differing_digits` of such calls, half-life 1 hour.",
        "hardly known numbers of the address differ from the called ones in their last {value} digits; typical is "
        "{typical}",
        high=15.0,
        source="source",
        unseen=9.0,
    ),
    # false answers and SIM boxes that only take calls are known by the route on which calls are handed to them
    feature(
        "route_calls_hour",
        "calls",
        "Calls to the address that the INVITE went to, half-life 1 hour.",
        "about {value} calls took this route within hours; typical is {typical}",
        source="route",
    ),
    feature(
        "route_answered_ratio",
        "ratio",
        "Answer-seizure ratio (ITU-T E.425) of the calls to that address, half-life 1 hour.",
        "{value} of the calls on this route were answered; typical is {typical}",
        source="route",
        unseen=0.6,
    ),
    feature(
        "route_short_ratio",
        "ratio",
        "Calls to that address shorter than 10 s / answered calls whose end was seen, half-life 1 hour.",
        "{value} of the answered calls on this route were over within 10 s; typical is {typical}",
        source="route",
        unseen=0.1,
    ),
    feature(
        "route_talk_mean_s",
        "s",
        "Mean duration of the answered calls to that address, half-life 1 hour.",
        "calls on this route last {value} on average; typical is {typical}",
        source="route",
        unseen=90.0,
    ),
    feature(
        "route_repeated_ratio",
        "ratio",
        "Calls to that address as long as one of the four before / answered calls whose end was seen, half-life 1 "
        "hour.",
        "{value} of the answered calls on this route were as long as one just before; typical is {typical}",
        source="route",
        unseen=0.1,
    ),
    feature(
        "route_unrung_ratio",
        "ratio",
        "Calls to that address answered within a second of ringing, or by a response without any ringing / answered "
        "calls, half-life 1 hour.",
        "{value} of the answered calls on this route were answered before they rang; typical is {typical}",
        source="route",
        unseen=0.05,
        revision=2,
    ),
    feature(
        "route_one_sided_ratio",
        "ratio",
        "Answered calls to that address with RTP of the caller only / answered calls whose RTP was seen, half-life 1 "
        "hour.",
        "in {value} of the answered calls on this route nobody spoke at the far end; typical is {typical}",
        source="route",
        unseen=0.02,
    ),
    # its means are those of honest calls, too, and of the whole town where all calls take one route; this is not
    feature(
        "route_hasty_ratio",
        "ratio",
        "Calls to that address answered within 2 s of ringing, or by a response without any ringing, and over within "
        "30 s / answered calls, half-life 1 hour: the callee was not there, and the caller noticed.",
        "{value} of the answered calls on this route were answered at once and soon over; typical is {typical}",
        source="route",
        unseen=0.03,
    ),
    # a voice phisher's calls are over in seconds, but for those of the victims
    feature(
        "caller_long_ratio_day",
        "ratio",
        "Calls of two minutes and more / answered calls whose end was seen, half-life 1 day.",
        "{value} of the answered calls in the last days lasted two minutes or more; typical is {typical}",
        unseen=0.2,
    ),
    # numbers like the callee's own: people answer neighbours
    feature(
        "differing_digits",
        "digits",
        "Digits of the longer of the two E.164 numbers behind those with which caller and callee both begin: 4 for a "
        "neighbour of the same 10 000. NaN when one is not known.",
        "the caller's number differs from the called one in its last {value} digits; typical is {typical}",
        high=15.0,
        source="call",
        unseen=NAN,
    ),
    feature(
        "style_addresses_day",
        "addresses",
        "Different addresses that sent INVITEs with this signalling fingerprint in the present 12 hours and the 12 "
        "before (standard error 13 %). NaN when the first INVITE of the call was not seen.",
        "{value} addresses call in this signalling style; typical is {typical}",
        source="call",
        unseen=NAN,
    ),
    feature(
        "contact_numbers_day",
        "numbers",
        "Different callers whose INVITEs name this host in Contact, in the same time. NaN when it names none.",
        "{value} different numbers gave the same Contact host within the day; typical is {typical}",
        source="call",
        unseen=NAN,
    ),
    feature(
        "range_numbers_day",
        "numbers",
        "Different callers of the caller's own range of 10 000 numbers at the address, in the same time. NaN when the "
        "caller's number is not E.164.",
        "{value} numbers of the caller's range were shown from the address within the day; typical is {typical}",
        source="call",
        unseen=NAN,
    ),
    # an account that is used beside its owner's telephone
    feature(
        "registered_elsewhere",
        "flag",
        "1 when the caller's account was last registered, with the server called, from another address within two "
        "hours; 0 from the same. NaN when no registration was seen.",
        "the caller's account is registered from another address: {value}; typical is {typical}",
        source="call",
        unseen=NAN,
        words=YES_NO,
    ),
    feature(
        "call_again",
        "class",
        "Whether the caller had called this number within a day before: 0 no, 1 and its latest call was answered, 2 "
        "and it was not.",
        "the caller had called this number before: {value}; typical is {typical}",
        high=2.0,
        source="call",
        words=("no", "yes, and was answered", "yes, without an answer"),
    ),
    # a gateway of SIM cards that takes calls is known by those it makes, and by how it answers
    feature(
        "route_goip_ratio",
        "ratio",
        "INVITEs that came from the address called and have the GoIP firmware's method list or session description / "
        "INVITEs from there, half-life 1 day. NaN when none came.",
        "{value} of the calls that come from the address called look like a GoIP gateway's; typical is {typical}",
        source="call",
        unseen=NAN,
    ),
    feature(
        "answer_tag_decimal",
        "flag",
        "1 when the tag of the called side is a decimal number below 2^32. NaN when no response had one.",
        "the called side's tag is a decimal number: {value}; typical is {typical}",
        source="call",
        moment=ANSWER,
        unseen=NAN,
        words=YES_NO,
    ),
    feature(
        "callee_hung_up",
        "flag",
        "1 when the callee's BYE ended the call, 0 when the caller's did. NaN when it was not answered, or no BYE was "
        "seen.",
        "the callee hung up: {value}; typical is {typical}",
        source="call",
        moment=END,
        unseen=NAN,
        words=YES_NO,
    ),
    # answered, and billed, but nobody is there
    feature(
        "one_sided",
        "flag",
        "1 when RTP of the caller's side was seen and none of the callee's, else 0. NaN when the call was not "
        "answered, fewer than 25 packets were seen, or messages of one direction only.",
        "nobody spoke at the far end: {value}; typical is {typical}",
        source="call",
        moment=END,
        unseen=NAN,
        words=YES_NO,
    ),
    feature(
        "callee_voice_delay_s",
        "s",
        "Answer to the first RTP packet from the callee's side, 0 when it came before. NaN when none was seen.",
        "it took {value} from the answer until something was heard; typical is {typical}",
        source="call",
        moment=END,
        unseen=NAN,
    ),
    # who calls numbers that are nobody's, or a server that is down, hears nothing; who is ringing was told so
    feature(
        "source_calls_replied_ratio",
        "ratio",
        "Calls from the address to which there was any reply, or a request that only follows one / calls, at most 1, "
        "half-life 1 hour. The call itself has had none at its setup.",
        "{value} of the calls from the address had any reply; typical is {typical}",
        source="source",
        unseen=0.9,
    ),
    # one machine that keeps one number busy; who dials a busy number again, and an alarm panel, have more patience
    feature(
        "call_run",
        "calls",
        "Calls of the caller to this number, this one included, none of them more than 5 minutes after the one before; "
        "63 stands for more.",
        "the caller has now called this number {value} times without a pause; typical is {typical}",
        high=63.0,
        source="call",
        unseen=1.0,
    ),
    # who looks for a way out of an exchange tries one prefix after another; people have two or three spellings
    feature(
        "dialled_forms",
        "spellings",
        "In how many ways the address has dialled the number, this one included: what stands before its last 8 digits, "
        "of the last 8 numbers that it dialled; 8 stands for more, 0 for what does not end in 8 digits.",
        "the address has dialled this number in {value} ways; typical is {typical}",
        high=8.0,
        source="call",
    ),
    feature(
        "source_respelled_ratio",
        "ratio",
        "Calls from the address to numbers that it had dialled in 4 ways or more / calls, half-life 1 hour.",
        "{value} of the calls from the address went to a number that it dials in many ways; typical is {typical}",
        source="source",
    ),
    # from where a thief uses an account nothing else is called; its owner, and who travels, call home as well
    feature(
        "source_high_cost_ratio",
        "ratio",
        "Calls from the address to high-cost countries, satellite networks and premium numbers / calls, half-life "
        "1 hour.",
        "{value} of the calls from the address went to expensive destinations; typical is {typical}",
        source="source",
    ),
)

GROUP_SOURCE_FEATURES = (
    # a telephone with a wrong password is not registered elsewhere with the right one, and nobody else tries its user
    feature(
        "source_failed_bound_day",
        "requests",
        "Wrong passwords for users who were last registered, with the same server, from another address within two "
        "hours; half-life 1 day.",
        "about {value} wrong passwords for users who are registered from another address; typical is {typical}",
        source="source",
        group="source",
        revision=2,
    ),
    feature(
        "source_failed_shared_day",
        "requests",
        "Wrong passwords for users for whom other addresses bring wrong passwords, too; half-life 1 day.",
        "about {value} wrong passwords for users whom other addresses try as well; typical is {typical}",
        source="source",
        group="source",
        revision=2,
    ),
    # a telephone keeps the Call-ID of its registration (RFC 3261 10.2.4); who tries passwords or users takes a new one
    feature(
        "source_call_ids_day",
        "dialogs",
        "Different Call-IDs of its REGISTER requests in the present 12 hours and the 12 before (standard error 13 %).",
        "began to register {value} times anew within the day; typical is {typical}",
        source="source",
        group="source",
    ),
    feature(
        "source_call_id_ratio",
        "ratio",
        "Different Call-IDs / REGISTER requests, over the same time.",
        "{value} of its REGISTER requests had a Call-ID of their own; typical is {typical}",
        source="source",
        group="source",
        unseen=0.5,
    ),
    # who asks for users, or for servers; a trunk or a monitor asks the same ones again and again
    feature(
        "source_probes_day",
        "users",
        "Different users, each at its server, that it asked for with OPTIONS in the present 12 hours and the 12 before "
        "(standard error 13 %).",
        "asked whether {value} different users are there within the day; typical is {typical}",
        source="source",
        group="source",
    ),
    feature(
        "source_probe_ratio",
        "ratio",
        "Different users, each at its server / OPTIONS requests, over the same time.",
        "{value} of its OPTIONS requests asked for another user; typical is {typical}",
        source="source",
        group="source",
        unseen=0.5,
    ),
    # most addresses that a sweep tries are nobody's
    feature(
        "source_replied_ratio",
        "ratio",
        "Final responses to its requests outside calls / such requests, at most 1, half-life 1 hour. NaN when no "
        "address had a final response to any such request within an hour: the mirror may show requests only.",
        "{value} of its requests outside calls were answered; typical is {typical}",
        source="source",
        group="source",
        unseen=0.9,
        revision=2,
    ),
    # a telephone with an old password tries once a minute or so; who guesses does it as fast as the server lets it
    feature(
        "source_wrong_passwords_minute",
        "requests",
        "The same as `source_wrong_passwords_day` with a half-life of 1 minute.",
        "about {value} wrong passwords within a minute or two; typical is {typical}",
        source="source",
        group="source",
        revision=2,
    ),
    feature(
        "source_user_failures_minute",
        "requests",
        "The same of the user with the most: the least that it can be, by Space-Saving with 8 users.",
        "about {value} wrong passwords for one user within a minute or two; typical is {typical}",
        source="source",
        group="source",
        revision=2,
    ),
    # a few passwords for each of many users
    feature(
        "source_failing_users_day",
        "users",
        "Different users whose passwords were wrong, in the present 12 hours and the 12 before (standard error 13 %).",
        "brought wrong passwords for {value} different users within the day; typical is {typical}",
        source="source",
        group="source",
        revision=2,
    ),
    # an account that was broken into; who mistyped needs a handful of tries
    feature(
        "source_guessed_tries_day",
        "requests",
        "Wrong passwords of the users of `source_guessed_day` before they were let in, half-life 1 day.",
        "was let in after about {value} wrong passwords for that user; typical is {typical}",
        source="source",
        group="source",
        revision=2,
    ),
    # a monitor asks many servers for one user, an exchange its telephones again and again
    feature(
        "source_probed_users_day",
        "users",
        "Different users that it asked for with OPTIONS, at any server, in the present 12 hours and the 12 before.",
        "asked for {value} different users within the day; typical is {typical}",
        source="source",
        group="source",
    ),
    # an exchange that asks whether its telephones live is no scanner: they are registered with it
    feature(
        "source_granted_day",
        "requests",
        "Registrations of others that the address granted, since its first own request, half-life 1 day.",
        "about {value} registrations of others were granted by the address; typical is {typical}",
        source="source",
        group="source",
    ),
    # telephones whose passwords were changed, or whose server is out of order, had been let in before
    feature(
        "source_failed_own_day",
        "requests",
        "Wrong passwords for users who were last registered, with the same server, from the address itself within two "
        "hours; half-life 1 day.",
        "about {value} wrong passwords for users who had been registered from the address; typical is {typical}",
        source="source",
        group="source",
    ),
    # of many users a telephone each has one Call-ID; who tries passwords has more Call-IDs than users
    feature(
        "source_failed_anew_day",
        "requests",
        "Different Call-IDs of REGISTER requests with a wrong password for users who had not been registered from the "
        "address, less 1.35 times the users with wrong passwords, at least 0, in the present 12 hours and the 12 "
        "before: both are estimates (standard error 13 %).",
        "began anew about {value} times with another wrong password of a user; typical is {typical}",
        source="source",
        group="source",
    ),
    feature(
        "source_failed_anew_ratio",
        "ratio",
        "The same / such REGISTER requests less the users with wrong passwords: of the tries after each user's first, "
        "those with another Call-ID.",
        "{value} of its further tries for a user began anew; typical is {typical}",
        source="source",
        group="source",
        unseen=0.1,
    ),
    # a user may have two telephones with an old password; more addresses than that guess together
    feature(
        "source_failed_crowd_day",
        "requests",
        "Wrong passwords for users for whom at least two other addresses bring wrong passwords, too; half-life 1 day.",
        "about {value} wrong passwords for users whom several other addresses try as well; typical is {typical}",
        source="source",
        group="source",
    ),
)
