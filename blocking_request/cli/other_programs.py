"""Words of curl, HTTPie and httpx that mean nothing here. The messages about them name the option to write."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Optional

from ..models.redaction import redact_url

_DONE = "this is done by default"
_LACKS = "no option here does this"
_JSON, _QUERY = "--json NAME=VALUE", "-q NAME=VALUE"

_ADVICE = {
    "-G --get --url-query --params -p": f"{_QUERY} adds to the query of the URL",
    "-T --upload-file": "'put URL -d @FILE' sends a file, and -H 'Content-Type: TYPE' tells its type",
    "-Z --parallel --parallel-max": "'get --from FILE --jobs N' sends many requests at once",
    "-K --config": "the configuration file and --profile have options",
    "-D --dump-header --all --meta -p --print": "-i writes headers, -v shows the request, -I asks for headers only",
    "-z --time-cond": "write -H 'If-Modified-Since: DATE'",
    "-r --range": "write -H 'Range: bytes=0-99', or -C to continue a download",
    "-N --no-buffer --stream --follow --follow-redirects --check-status --fail-with-body --body --fail-early": _DONE,
    "-g --globoff --ignore-stdin --path-as-is --remove-on-error --retry-connrefused": _DONE,
    "-# --progress-bar": "the progress is shown on a terminal",
    "-a --auth --basic": "-u USER:PASSWORD sends a user and a password, --bearer a token",
    "-t --auth-type --anyauth": "-u is Basic, '-u USER --digest' is Digest, --bearer sends a token",
    "--ntlm --negotiate": "-u with --engine qt answers them",
    "--location-trusted": "credentials are sent to their origin only",
    "--data-urlencode": "--form NAME=VALUE sends an encoded field",
    "--raw --content": "-d TEXT|@FILE is the body",
    "--multipart --form-string --files": "-F NAME=@FILE or -F NAME=VALUE is a form of several parts",
    "--connect-timeout --speed-time -y --speed-limit -Y --read-timeout": "--timeout is the longest time without data, "
    "-m that of the whole request",
    "--retry-max-time": "-m is the longest time of all attempts together",
    "--retry-all-errors": "--retry tries again after failed connections and these statuses: see --help",
    "--output-dir --create-dirs --download-dir": "'-o FOLDER' names an existing folder for the file",
    "--no-clobber": "-J with -O, and '-o FOLDER', replace no file",
    "-j": f"{_JSON} sends JSON",
    "--download": "-O names the file after the URL",
    "--session --session-read-only --cookies": "'-b FILE -c FILE' keep cookies",
    "--socks5 --socks5-hostname --socks4 --socks4a --preproxy": "-x socks5://HOST:PORT or socks4a://HOST:PORT",
    "--proxy-insecure --proxy-cacert --no-verify --verify": "-k does not verify the server, --cacert FILE does "
    "it with these certificates",
    "--capath --ssl-no-revoke": "--cacert FILE names the certificates",
    "--cert-key": "--key FILE is the key of --cert",
    "--cert-key-pass": "--pass PASSWORD is that of --key",
    "--cert-type --key-type": "the content of the file shows its type: PEM or PKCS#12",
    "--pinnedpubkey": "--pinned-sha256 is the fingerprint of the certificate, not of its public key",
    "--max-redirects": "--max-redirs N",
    "--method": "-X METHOD",
    "--headers": "-H 'NAME: VALUE' sends a header; -I shows the headers of the response, -i these and the body",
    "--quiet --no-progress-meter": "-s shows no progress",
    "--trace --trace-ascii --debug": "-v shows the request and the response, --har FILE writes them",
    "--style --format-options --no-color": "--no-pretty or the variable NO_COLOR",
    "--resolve --connect-to -4 -6 --ipv4 --ipv6 --local-port --limit-rate --unix-socket --http3": _LACKS,
    "--tlsv1.2 --tlsv1.3 --ssl --ciphers --doh-url --dns-servers -R --remote-time": _LACKS,
    "-1 --tlsv1 --tlsv1.0 --tlsv1.1 --tls-max --tls13-ciphers --curves --crlfile --cert-status --dns-interface": _LACKS,
    "-0 --http1.0 --http0.9 --http2-prior-knowledge --http3-only --proto --proto-default --proto-redir": _LACKS,
    "--rate --max-filesize --stderr --request-target --haproxy-protocol --hsts --alt-svc --aws-sigv4 --xattr": _LACKS,
    "--post301 --post302 --post303 --junk-session-cookies --expect100-timeout --keepalive-time": _LACKS,
    "--no-keepalive --libcurl --abstract-unix-socket --boundary --response-charset": _LACKS,
    "--sorted --unsorted --default-scheme --max-headers --chunked --compress --traceback": _LACKS,
    "--proxy-header --proxy-cert --proxy-key --proxy-pass --proxy1.0 --proxy-digest --proxy-ntlm": _LACKS,
    "-: --next": "each command sends one request; 'get --from FILE' sends many",
    "-V --manual -M": "--version shows the version, --help the options",
    "--disable": "--no-config does not read the configuration file",
    "--netrc-optional": "-n reads ~/.netrc, --netrc-file FILE another file",
    "--ignore-netrc": "netrc is read with -n only",
    "--etag-save --etag-compare": "--cache keeps responses, and asks the server if they are still valid",
    "--proxytunnel": "-x URL names the proxy, which gets CONNECT for https",
    "--data-ascii --use-ascii -B": "-d TEXT|@FILE is the body",
    "-P --ftp-port -l --list-only -Q --quote --append": "only http and https are spoken here",
    "--url": "write the URL without an option",
}
"""The options of other programs, and what to write here."""

_ITEM = re.compile(r"[^\s/?#:=@]+(==|:=|=|@|:)(?!//).*", re.DOTALL)


def advice_for(name: str) -> Optional[str]:
    """Return what does the work of an option of another program here, None if it is not known."""
    return next((advice for names, advice in _ADVICE.items() if name in names.split()), None)


def about_extra_words(words: Sequence[str], names: Collection[str]) -> str:
    """Return the message about words after the arguments. ``names``: those of the command's options and arguments.

    The words may be secrets, such as the value of a header that lacks its quotes. Only URLs are shown.
    """
    if "url" not in names:
        return "there is a word too many: the usage line of the help shows the arguments"
    item = _ITEM.fullmatch(words[0])
    has_body = "--json" in names
    ours = {
        "==": _QUERY,
        ":=": "--json NAME:=JSON" if has_body else "",
        "=": _JSON if has_body else _QUERY,
        "@": "-F NAME=@FILE" if has_body else "",
        ":": "-H 'NAME: VALUE'",
    }
    if item is not None and ours[item[1]]:
        return f"HTTPie's item NAME{item[1]}VALUE is {ours[item[1]]} here"
    quotes = "the first word is the URL, and a value that has spaces is quoted"
    if "://" in words[0]:
        advice = f"{quotes}; --from FILE sends several" if "--from" in names else quotes
        return f"{redact_url(words[0])} is one word too many: {advice}"
    count = "one word" if len(words) == 1 else f"{len(words)} words"
    return f"there {'is' if len(words) == 1 else 'are'} {count} too many: {quotes}"
