# ruff: noqa: RUF001 - Chinese has its own marks
"""Reasons in Chinese. Boxes write them in English, with their values as numbers beside the sentence: here the same
sentence is made again from these. A feature of a newer box that is not here is shown as it came."""

import re
from collections.abc import Mapping
from typing import Any

NOT_KNOWN = "未知"
YES_NO = ("否", "是")
# Classes and their words, in the order of their values.
CLASSES: dict[str, tuple[str, ...]] = {
    "call_back": ("否", "回拨已接通的来电", "回拨未接来电"),
    "call_again": ("否", "曾接通", "曾未接通"),
    "callee_price_class": ("普通", "高资费国家", "卫星或国际网络", "声讯"),
    "asserted_differs": ("否", "同一国家", "其他国家"),
    "attestation": ("无法读取", "C（网关）", "B（部分）", "A（完全）"),
    "verstat": ("未通过", "未核验", "通过"),
}
FLAGS = {
    "call_international", "caller_plausible", "callee_plausible", "caller_anonymous", "cancelled", "branch_decimal",
    "tag_decimal", "call_id_decimal", "allow_goip_order", "sdp_goip_session", "agent_contradicted", "diverted",
    "privacy_requested", "caller_country_unusual", "registered_elsewhere", "answer_tag_decimal",
    "callee_hung_up", "one_sided",
}  # fmt: skip
# Shares whose names do not say so.
SHARES = {"domestic_from_abroad"}

SENTENCES: dict[str, str] = {
    "callee_calls_minute": "被叫一两分钟内约有 {} 次来电",
    "callee_calls_hour": "被叫一两小时内约有 {} 次来电",
    "callee_calls_day": "被叫一两天内约有 {} 次来电",
    "callee_evidence": "已观测到被叫 {} 次来电（32 表示更多）",
    "callee_callers_hour": "一小时内有 {} 个不同号码呼叫被叫",
    "callee_callers_ratio": "被叫的来电中 {} 来自当天首次出现的主叫",
    "callee_answer_ratio_day": "被叫的来电中 {} 被接听",
    "callee_cancel_ratio_day": "被叫的来电中 {} 在应答前被主叫挂断",
    "callee_one_ring_ratio_day": "被叫的来电中 {} 只响一声",
    "callee_duration_mean_s": "被叫的通话平均时长为 {}",
    "callee_concurrency": "被叫同时有 {} 个呼叫",
    "caller_reply_ratio": "主叫的呼叫中 {} 拨给曾来电的号码",
    "caller_called_back_ratio": "主叫的呼叫中 {} 得到回拨",
    "call_back": "该呼叫为回拨：{}",
    "caller_hour_entropy": "主叫呼叫时段的熵为 {} 比特（4.58 表示全天均匀）",
    "caller_range_entropy": "主叫所拨号段的熵为 {} 比特（0 表示同一号段）",
    "range_calls_hour": "数小时内约有 {} 次呼叫拨往该万号段",
    "source_top_range_ratio": "该地址的呼叫中 {} 拨往同一号段",
    "source_concurrency": "该地址同时有 {} 个呼叫",
    "source_seen": "已观测到该地址 {} 个请求（32 表示更多）",
    "source_registrations_day": "一两天内该地址约有 {} 次注册成功",
    "source_granted_day": "该地址约批准了其他地址的 {} 次注册",
    "early_media_s": "应答前媒体已开通 {}",
    "source_registered_ratio_day": "近几天的注册中 {} 成功",
    "source_refused_ratio_day": "近几天的请求中 {} 被拒绝",
    "source_credentials_ratio_day": "注册请求中 {} 带有密码",
    "source_wrong_passwords_day": "一两天内约有 {} 次密码错误",
    "source_wrong_passwords_minute": "一两分钟内约有 {} 次密码错误",
    "source_user_failures_day": "一两天内同一用户约有 {} 次密码错误",
    "source_user_failures_minute": "一两分钟内同一用户约有 {} 次密码错误",
    "source_failing_users_day": "一天内为 {} 个不同用户提供了错误密码",
    "source_guessed_day": "约有 {} 个用户在密码错误后获准登录",
    "source_guessed_tries_day": "该用户约 {} 次密码错误之后获准登录",
    "source_targets_day": "一天内访问了 {} 台不同的服务器",
    "source_open_calls": "同时有 {} 个呼叫",
    "caller_calls_minute": "主叫一两分钟内约呼叫 {} 次",
    "caller_calls_hour": "主叫一两小时内约呼叫 {} 次",
    "caller_calls_day": "主叫一两天内约呼叫 {} 次",
    "caller_evidence": "已观测到主叫 {} 次呼叫（32 表示更多）",
    "caller_callees_hour": "主叫一小时内拨打了 {} 个不同号码",
    "caller_callees_day": "主叫一天内拨打了 {} 个不同号码",
    "caller_fan_out_ratio": "主叫的呼叫中 {} 拨往当天未拨过的号码",
    "caller_answer_ratio_hour": "主叫近几小时的呼叫中 {} 被接听",
    "caller_answer_ratio_day": "主叫近几天的呼叫中 {} 被接听",
    "caller_short_ratio_hour": "近几小时接通的呼叫中 {} 在 10 秒内结束",
    "caller_short_ratio_day": "近几天接通的呼叫中 {} 在 10 秒内结束",
    "caller_long_ratio_day": "近几天接通的呼叫中 {} 持续两分钟以上",
    "caller_cancel_ratio_hour": "近几小时的呼叫中 {} 在应答前挂断",
    "caller_cancel_ratio_day": "近几天的呼叫中 {} 在应答前挂断",
    "caller_busy_ratio_day": "所拨号码中 {} 占线",
    "caller_not_found_ratio_day": "所拨号码中 {} 为空号",
    "caller_cancel_ring_s": "主叫振铃 {} 后挂断",
    "caller_duration_mean_s": "主叫的通话平均时长为 {}",
    "caller_interval_mean_s": "主叫平均每 {} 呼叫一次",
    "caller_interval_cv": "呼叫间隔的变异为均值的 {} 倍（0 如同机器定时）",
    "caller_burstiness": "呼叫节奏的突发性为 {}（-1 为定时，1 为突发）",
    "caller_successor_ratio": "主叫的呼叫中 {} 拨往前一号码的相邻号码",
    "caller_concurrency": "主叫同时有 {} 个呼叫",
    "caller_international_ratio": "主叫的呼叫中 {} 为国际呼叫",
    "caller_high_cost_hour": "数小时内约有 {} 次呼叫拨往高资费号段",
    "caller_high_cost_ratio": "主叫的呼叫中 {} 拨往高资费号段",
    "source_calls_hour": "数小时内同一地址约有 {} 次呼叫",
    "source_callers_ratio": "该地址的呼叫中 {} 来自新号码",
    "callee_price_class": "被叫号码类别：{}",
    "call_international": "国际呼叫：{}",
    "caller_plausible": "主叫号码是合理的电话号码：{}",
    "callee_plausible": "被叫号码是合理的电话号码：{}",
    "caller_anonymous": "主叫隐藏号码：{}",
    "post_dial_delay_s": "网络 {} 后才有响应",
    "ring_s": "振铃 {}",
    "duration_s": "通话时长 {}",
    "cancelled": "主叫在应答前挂断：{}",
    "branch_decimal": "事务标识为纯十进制数：{}",
    "tag_decimal": "对话标识为纯十进制数：{}",
    "call_id_decimal": "呼叫标识为“十进制数@地址”：{}",
    "allow_goip_order": "所列方法的顺序与 GoIP 网关一致：{}",
    "sdp_goip_session": "媒体会话的描述与 GoIP 网关一致：{}",
    "agent_contradicted": "信令与其自称的产品不符：{}",
    "source_fingerprints_day": "该地址一天内出现 {} 种信令特征",
    "source_agent_change_ratio": "该地址的呼叫中 {} 只更改了终端名称",
    "gateway_signs": "该呼叫的地址上观测到 {} 种 GSM 网关迹象",
    "gateway_proofs": "该呼叫的地址上观测到 {} 种 GSM 网关的确证",
    "asserted_differs": "网络确认的号码与主叫显示的不同：{}",
    "source_asserted_abroad_day": "该地址约有 {} 次呼叫先后由网络确认为不同的境外号码",
    "attestation": "主叫号码的认证级别：{}",
    "verstat": "上一级网络对主叫号码的核验：{}",
    "diverted": "该呼叫经过前转：{}",
    "privacy_requested": "要求隐藏主叫：{}",
    "domestic_from_abroad": "国内号码来自一个 {} 呼叫为境外号码的地址",
    "caller_country_unusual": "主叫国家在该地址不常见：{}",
    "source_answered_ratio": "该地址的呼叫中 {} 被接听",
    "source_calls_replied_ratio": "该地址的呼叫中 {} 得到任何响应",
    "source_high_cost_ratio": "该地址的呼叫中 {} 拨往高资费目的地",
    "source_cancelled_ratio": "该地址的呼叫中 {} 在应答前放弃",
    "source_one_ring_ratio": "该地址的呼叫中 {} 响一声后放弃",
    "source_vacant_ratio": "该地址所拨号码中 {} 为空号",
    "source_short_ratio": "该地址接通的呼叫中 {} 在 10 秒内结束",
    "source_long_ratio": "该地址接通的呼叫中 {} 持续两分钟以上",
    "source_talk_mean_s": "该地址的通话平均时长为 {}",
    "source_repeated_ratio": "该地址接通的呼叫中 {} 与之前某次时长相同",
    "source_successor_ratio": "该地址的呼叫中 {} 拨往前一号码的相邻号码",
    "source_differing_digits": "该地址显示的主叫与被叫仅末 {} 位不同",
    "source_numbers_day": "一天内从该地址拨打了 {} 个不同号码",
    "source_fan_out_ratio": "该地址的呼叫中 {} 拨往当天未拨过的号码",
    "newcomer_ratio": "该地址的呼叫中 {} 是其号码的前三次呼叫",
    "newcomer_calls_hour": "数小时内该地址约有 {} 次生疏号码的呼叫",
    "newcomer_answered_ratio": "该地址生疏号码的呼叫中 {} 被接听",
    "newcomer_one_ring_ratio": "该地址生疏号码的呼叫中 {} 响一声后放弃",
    "newcomer_short_ratio": "该地址生疏号码接通的呼叫中 {} 在 10 秒内结束",
    "newcomer_talk_mean_s": "该地址生疏号码的通话平均时长为 {}",
    "newcomer_differing_digits": "该地址的生疏号码与被叫仅末 {} 位不同",
    "route_calls_hour": "数小时内约有 {} 次呼叫经此路由",
    "route_answered_ratio": "此路由的呼叫中 {} 被接听",
    "route_short_ratio": "此路由接通的呼叫中 {} 在 10 秒内结束",
    "route_talk_mean_s": "此路由的通话平均时长为 {}",
    "route_repeated_ratio": "此路由接通的呼叫中 {} 与之前某次时长相同",
    "route_unrung_ratio": "此路由接通的呼叫中 {} 未振铃即应答",
    "route_one_sided_ratio": "此路由接通的呼叫中 {} 对端无人说话",
    "route_hasty_ratio": "此路由接通的呼叫中 {} 立即应答且很快结束",
    "route_goip_ratio": "从被叫地址发出的呼叫中 {} 像 GoIP 网关",
    "differing_digits": "主叫与被叫号码仅末 {} 位不同",
    "style_addresses_day": "有 {} 个地址以此信令特征呼叫",
    "contact_numbers_day": "一天内有 {} 个不同号码使用同一 Contact 主机",
    "range_numbers_day": "一天内该地址显示了主叫号段中的 {} 个号码",
    "asserted_blocks_day": "一天内该地址在网络确认的号码之下向不同被叫显示了 {} 个互不相关的号码",
    "shown_accounts_day": "一天内网络为该主叫号码先后确认了 {} 个互不相关的号码",
    "registered_elsewhere": "主叫账号在另一地址注册：{}",
    "call_again": "主叫曾呼叫过该号码：{}",
    "call_run": "主叫已连续 {} 次呼叫该号码",
    "dialled_forms": "该地址以 {} 种拨法拨打该号码",
    "source_respelled_ratio": "该地址的呼叫中 {} 拨往其以多种拨法拨打的号码",
    "answer_tag_decimal": "被叫侧的标识为十进制数：{}",
    "recording_callees_day": "同一段录音一天内向 {} 个不同号码播放",
    "recording_callers_day": "同一段录音一天内由 {} 个不同号码播放",
    "answer_recording_callees_day": "一天内有 {} 个不同号码以同一段录音应答",
    "caller_recorded_ratio_day": "主叫的呼叫中 {} 播放了他人也听过的录音",
    "source_recorded_ratio": "该地址的呼叫中 {} 播放了他人也听过的录音",
    "route_recorded_ratio": "此路由的呼叫中 {} 以其他号码用过的录音应答",
    "callee_hung_up": "由被叫挂断：{}",
    "one_sided": "对端无人说话：{}",
    "callee_voice_delay_s": "应答后 {} 才听到声音",
    "source_failed_bound_day": "约有 {} 次密码错误针对在其他地址注册的用户",
    "source_failed_own_day": "约有 {} 次密码错误针对曾从该地址注册的用户",
    "source_failed_shared_day": "约有 {} 次密码错误针对其他地址也在尝试的用户",
    "source_failed_anew_day": "约有 {} 次另起 Call-ID 再试同一用户的密码且错误",
    "source_failed_anew_ratio": "对同一用户的再次尝试中 {} 另起 Call-ID",
    "source_failed_crowd_day": "约有 {} 次密码错误针对另有多个地址也在尝试的用户",
    "fingerprints_day": "一天内以 {} 种信令特征呼叫",
    "agent_change_ratio": "其呼叫中 {} 只更改了终端名称",
    "source_decimal_ratio": "其呼叫中 {} 以纯十进制数标识",
    "source_goip_style_ratio": "其呼叫中 {} 的信令像 GoIP 网关",
    "source_contradicted_ratio": "其呼叫中 {} 与自称的产品不符",
    "source_asserted_differs_ratio": "其呼叫中 {} 显示的号码与确认的不同",
    "source_abroad_ratio": "其呼叫中 {} 来自境外号码",
    "source_acrypt_headers": "约有 {} 次呼叫带有 GoIP 网关的加密头域",
    "source_remote_busy": "约 {} 次给出 GoIP 网关线路忙的响应",
    "goip_keepalives": "向管理平台发送了约 {} 个 GSM 网关保活包",
    "sim_bank_packets": "与 SIM 卡池交换了约 {} 个数据包",
    "source_requests_minute": "一两分钟内约发送 {} 个请求",
    "source_requests_hour": "一两小时内约发送 {} 个请求",
    "source_requests_day": "一两天内约发送 {} 个请求",
    "source_evidence": "已观测到 {} 个请求（32 表示更多）",
    "source_register_ratio": "请求中 {} 为 REGISTER",
    "source_options_ratio": "请求中 {} 为 OPTIONS",
    "source_invite_ratio": "请求中 {} 为 INVITE",
    "source_users_hour": "一小时内尝试注册 {} 个不同用户",
    "source_users_day": "一天内尝试注册 {} 个不同用户",
    "source_call_ids_day": "一天内重新发起注册 {} 次",
    "source_call_id_ratio": "REGISTER 请求中 {} 使用新的 Call-ID",
    "source_probes_day": "一天内探测了 {} 个不同用户是否存在",
    "source_probed_users_day": "一天内询问了 {} 个不同用户",
    "source_probe_ratio": "OPTIONS 请求中 {} 换了另一用户",
    "source_replied_ratio": "呼叫之外的请求中 {} 得到应答",
    "source_user_ratio": "REGISTER 请求中 {} 换了另一用户",
    "source_registered_ratio": "注册请求中 {} 成功",
    "source_challenged_ratio": "请求中 {} 被要求提供密码",
    "source_forbidden_ratio": "请求中 {} 被禁止",
    "source_not_found_ratio": "请求中 {} 针对不存在的用户",
    "source_callers_day": "该地址背后有 {} 个不同主叫",
    "source_callees_day": "一天内拨打了 {} 个不同号码",
    "source_answer_ratio": "其呼叫中 {} 被接听",
    "source_high_cost_hour": "数小时内约有 {} 次呼叫拨往高资费号段",
    "source_interval_mean_s": "平均每 {} 发送一个请求",
    "source_interval_cv": "请求间隔的变异为均值的 {} 倍（0 如同机器定时）",
}


# What a box says of an account that was broken into (appliance/break_in.py): the user, the wrong passwords, the users.
BREAK_IN = re.compile(r"let in as (.+) after (\d+) wrong passwords(?: for (\d+) users)?")


def in_chinese(reason: Mapping[str, Any]) -> str | None:
    """The sentence of a reason, None when its feature is not known here."""
    name = reason.get("feature", "")
    if broken_into := BREAK_IN.fullmatch(reason.get("text", "")):
        user, tries, users = broken_into.groups()
        return f"{f'为 {users} 个用户' if users else ''}尝试错误密码 {tries} 次后，以用户 {user} 的身份获准登录"
    sentence = SENTENCES.get(name)
    if sentence is None:
        return None
    seen, typical = (_value(name, reason.get(key)) for key in ("value", "typical"))
    return f"{sentence.format(seen)}；通常为 {typical}"


def _value(name: str, value: float | None) -> str:
    """A value as the boxes' own sentences have it (`kernels.wording`)."""
    if value is None:
        return NOT_KNOWN
    words = CLASSES.get(name) or (YES_NO if name in FLAGS else ())
    if words:
        return words[min(max(round(value), 0), len(words) - 1)]
    if name in SHARES or "_ratio" in name:
        return f"{100 * value:.0f}%"
    if name.endswith("_s"):
        return f"{value:.1f} 秒" if value < 100 else f"{value:.0f} 秒"
    if "entropy" in name or name.endswith(("_cv", "burstiness")):
        return f"{value:.2f}"
    return f"{value:.1f}".removesuffix(".0") if value < 10 else f"{value:.0f}"
