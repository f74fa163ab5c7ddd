"""llhttp's response vectors with our own expectations.

The inputs are those of test/response/*.md in https://github.com/nodejs/llhttp (commit 01e105a, MIT licence, copyright
Fedor Indutny, 2018); inputs that come twice are left out. What we expect is ours: a comment says why it differs.
"""

from __future__ import annotations

from typing import NamedTuple

from .outcomes import Outcome


class Vector(NamedTuple):
    name: str
    method: str
    data: bytes
    expected: Outcome


VECTORS = (
    Vector(
        "connection: Proxy-Connection",
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: 11\r\nProxy-Connection: close\r\nDate: Thu, 31 Dec 2009 20:55:48 +0000\r\n\r\nhello world",
        Outcome(status=200, body=b"hello world", is_complete=True, keeps=True),
    ),
    Vector(
        "connection: HTTP/1.0 with keep-alive and EOF-terminated 200 status",
        "GET",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nHTTP/1.0 200 OK",
        Outcome(status=200, body=b"HTTP/1.0 200 OK", is_complete=True),
    ),
    Vector(
        "connection: HTTP/1.0 with keep-alive and 204 status",
        "GET",
        b"HTTP/1.0 204 No content\r\nConnection: keep-alive\r\n\r\nHTTP/1.0 200 OK",
        Outcome(status=204, rest=b"HTTP/1.0 200 OK", is_complete=True, keeps=True),
    ),
    Vector(
        "connection: HTTP/1.1 with EOF-terminated 200 status",
        "GET",
        b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK",
        Outcome(status=200, body=b"HTTP/1.1 200 OK", is_complete=True),
    ),
    Vector(
        "connection: HTTP/1.1 with 204 status",
        "GET",
        b"HTTP/1.1 204 No content\r\n\r\nHTTP/1.1 200 OK",
        Outcome(status=204, rest=b"HTTP/1.1 200 OK", is_complete=True, keeps=True),
    ),
    # llhttp refuses the bytes that follow. We close the connection.
    Vector(
        "connection: HTTP/1.1 with keep-alive disabled and 204 status",
        "GET",
        b"HTTP/1.1 204 No content\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK",
        Outcome(status=204, rest=b"HTTP/1.1 200 OK", is_complete=True),
    ),
    Vector(
        "connection: HTTP/1.1 with keep-alive disabled, content-length (lenient)",
        "GET",
        b"HTTP/1.1 200 No content\r\nContent-Length: 5\r\nConnection: close\r\n\r\n2ad731e3-4dcd-4f70-b871-0ad284b29ffc",
        Outcome(status=200, body=b"2ad73", rest=b"1e3-4dcd-4f70-b871-0ad284b29ffc", is_complete=True),
    ),
    # As llhttp, which stops there.
    Vector(
        "connection: HTTP 101 response with Upgrade and Content-Length header",
        "GET",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nbodyproto",
        Outcome(status=101, rest=b"bodyproto", is_complete=True),
    ),
    # As llhttp, which stops there.
    Vector(
        "connection: HTTP 101 response with Upgrade and Transfer-Encoding header",
        "GET",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\nproto",
        Outcome(status=101, rest=b"2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\nproto", is_complete=True),
    ),
    Vector(
        "connection: HTTP 200 response with Upgrade header",
        "GET",
        b"HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nbody",
        Outcome(status=200, body=b"body", is_complete=True),
    ),
    Vector(
        "connection: HTTP 200 response with Upgrade header and Content-Length",
        "GET",
        b"HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nbody",
        Outcome(status=200, body=b"body", is_complete=True, keeps=True),
    ),
    Vector(
        "connection: HTTP 200 response with Upgrade header and Transfer-Encoding",
        "GET",
        b"HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n",
        Outcome(status=200, body=b"body", is_complete=True, keeps=True),
    ),
    Vector(
        "connection: HTTP 304 with Content-Length",
        "GET",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        Outcome(
            status=304, rest=b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", is_complete=True, keeps=True
        ),
    ),
    Vector(
        "connection: HTTP 304 with Transfer-Encoding",
        "GET",
        b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        Outcome(
            status=304,
            rest=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
            is_complete=True,
            keeps=True,
        ),
    ),
    Vector(
        "connection: HTTP 100 first, then 400",
        "GET",
        b"HTTP/1.1 100 Continue\r\n\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 14\r\nDate: Fri, 15 Sep 2023 19:47:23 GMT\r\nServer: Python/3.10 aiohttp/4.0.0a2.dev0\r\n\r\n404: Not Found",
        Outcome(status=404, body=b"404: Not Found", is_complete=True, keeps=True),
    ),
    Vector(
        "connection: HTTP 103 first, then 200",
        "GET",
        b"HTTP/1.1 103 Early Hints\r\nLink: </styles.css>; rel=preload; as=style\r\n\r\nHTTP/1.1 200 OK\r\nDate: Wed, 13 Sep 2023 11:09:41 GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 17\r\n\r\nresponse content",
        Outcome(status=200, body=b"response content"),
    ),
    Vector(
        "content-length: Response without `Content-Length`, but with body",
        "GET",
        b'HTTP/1.1 200 OK\r\nDate: Tue, 04 Aug 2009 07:59:32 GMT\r\nServer: Apache\r\nX-Powered-By: Servlet/2.5 JSP/2.1\r\nContent-Type: text/xml; charset=utf-8\r\nConnection: close\r\n\r\n<?xml version=\\"1.0\\" encoding=\\"UTF-8\\"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV=\\"http://schemas.xmlsoap.org/soap/envelope/\\">\n  <SOAP-ENV:Body>\n    <SOAP-ENV:Fault>\n       <faultcode>SOAP-ENV:Client</faultcode>\n       <faultstring>Client Error</faultstring>\n    </SOAP-ENV:Fault>\n  </SOAP-ENV:Body>\n</SOAP-ENV:Envelope>',
        Outcome(
            status=200,
            body=b'<?xml version=\\"1.0\\" encoding=\\"UTF-8\\"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV=\\"http://schemas.xmlsoap.org/soap/envelope/\\">\n  <SOAP-ENV:Body>\n    <SOAP-ENV:Fault>\n       <faultcode>SOAP-ENV:Client</faultcode>\n       <faultstring>Client Error</faultstring>\n    </SOAP-ENV:Fault>\n  </SOAP-ENV:Body>\n</SOAP-ENV:Envelope>',
            is_complete=True,
        ),
    ),
    Vector(
        "content-length: Content-Length-X",
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length-X: 0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n",
        Outcome(status=200, body=b"OK", is_complete=True, keeps=True),
    ),
    Vector(
        "content-length: Content-Length reset when no body is received",
        "HEAD",
        b"HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 456\r\n\r\n",
        Outcome(status=200, rest=b"HTTP/1.1 200 OK\r\nContent-Length: 456\r\n\r\n", is_complete=True, keeps=True),
    ),
    Vector(
        "content-length: Tabs in `Content-Length` (surrounding)",
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length:\t42\t\r\n\r\n",
        Outcome(status=200),
    ),
    Vector(
        "finish: It should be safe to finish with cb after empty response",
        "GET",
        b"HTTP/1.1 200 OK\r\n\r\n",
        Outcome(status=200, is_complete=True),
    ),
    Vector("invalid: Incomplete HTTP protocol", "GET", b"HTP/1.1 200 OK\r\n\r\n", Outcome(error="NotHttp")),
    Vector("invalid: Extra digit in HTTP major version", "GET", b"HTTP/01.1 200 OK\r\n\r\n", Outcome(error="NotHttp")),
    Vector(
        "invalid: Extra digit in HTTP major version #2", "GET", b"HTTP/11.1 200 OK\r\n\r\n", Outcome(error="NotHttp")
    ),
    Vector("invalid: Extra digit in HTTP minor version", "GET", b"HTTP/1.01 200 OK\r\n\r\n", Outcome(error="NotHttp")),
    # llhttp refuses it. RFC 9112 section 4 lets a recipient split the line at any blanks.
    Vector(
        "invalid: Tab after HTTP version", "GET", b"HTTP/1.1\t200 OK\r\n\r\n", Outcome(status=200, is_complete=True)
    ),
    # llhttp refuses the tab and takes the CR.
    Vector(
        "invalid: CR before response and tab after HTTP version",
        "GET",
        b"\rHTTP/1.1\t200 OK\r\n\r\n",
        Outcome(error="NotHttp"),
    ),
    # llhttp refuses it. For us a bare CR is part of the value, which no parser is shown then.
    Vector(
        "invalid: Headers separated by CR",
        "GET",
        b"HTTP/1.1 200 OK\r\nFoo: 1\rBar: 2\r\n\r\n",
        Outcome(status=200, is_complete=True),
    ),
    Vector(
        "invalid: Bare CR after response line",
        "GET",
        b"HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n",
        Outcome(error="NotHttp"),
    ),
    Vector(
        "invalid: Bare CR followed by CR after response line",
        "GET",
        b"HTTP/1.1 200 OK\r\rContent-Length: 4\r\n\r\nEvil",
        Outcome(error="NotHttp"),
    ),
    Vector("invalid: Invalid HTTP version", "GET", b"HTTP/5.6 200 OK\r\n\r\n", Outcome(error="NotHttp")),
    # llhttp says so before the header is complete.
    Vector("invalid: Invalid space after start line", "GET", b"HTTP/1.1 200 OK\r\n Host: foo", Outcome(error="CutOff")),
    # llhttp refuses it. RFC 9112 section 4 lets a recipient split the line at any blanks.
    Vector(
        "invalid: Extra space between HTTP version and status code",
        "GET",
        b"HTTP/1.1  200 OK\r\n\r\n",
        Outcome(status=200, is_complete=True),
    ),
    Vector(
        "invalid: Extra space between status code and reason",
        "GET",
        b"HTTP/1.1 200  OK\r\n\r\n",
        Outcome(status=200, is_complete=True),
    ),
    Vector("invalid: One-digit status code", "GET", b"HTTP/1.1 2 OK\r\n\r\n", Outcome(error="NoFinalResponse")),
    # llhttp refuses it unless it is lenient. RFC 9112 section 2.2 allows it.
    Vector(
        "invalid: Only LFs present and no body",
        "GET",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        Outcome(status=200, is_complete=True, keeps=True),
    ),
    # llhttp refuses it unless it is lenient. RFC 9112 section 2.2 allows it.
    Vector(
        "invalid: Only LFs present",
        "GET",
        b"HTTP/1.1 200 OK\nFoo: abc\nBar: def\n\nBODY\n\\",
        Outcome(status=200, body=b"BODY\n\\", is_complete=True),
    ),
    Vector(
        "pausing: on_message_begin",
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        Outcome(status=200, body=b"abc", is_complete=True, keeps=True),
    ),
    Vector(
        "pausing: on_chunk_header",
        "GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n",
        Outcome(status=200, body=b"0123456789", is_complete=True, keeps=True),
    ),
    Vector(
        "pausing: on_chunk_extension_name",
        "GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na;foo=bar\r\n0123456789\r\n0\r\n\r\n",
        Outcome(status=200, body=b"0123456789", is_complete=True, keeps=True),
    ),
    # llhttp reads three responses. We have asked for one.
    Vector(
        "pipelining: Should parse multiple events",
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nAAA\r\nHTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nBBBB\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nCCCC",
        Outcome(
            status=200,
            body=b"AAA",
            rest=b"\r\nHTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nBBBB\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nCCCC",
            is_complete=True,
            keeps=True,
        ),
    ),
    Vector(
        "sample: Simple response",
        "GET",
        b"HTTP/1.1 200 OK\r\nHeader1: Value1\r\nHeader2:\t Value2\r\nContent-Length: 0\r\n\r\n",
        Outcome(status=200, is_complete=True, keeps=True),
    ),
    # llhttp reads RTSP.
    Vector("sample: RTSP response", "GET", b"RTSP/1.1 200 OK\r\n\r\n", Outcome(error="NotHttp")),
    # llhttp reads ICE.
    Vector("sample: ICE response", "GET", b"ICE/1.1 200 OK\r\n\r\n", Outcome(error="NotHttp")),
    Vector("sample: Error on invalid response start", "GET", b"HTTPER/1.1 200 OK\r\n\r\n", Outcome(error="NotHttp")),
    Vector(
        "sample: Google 301",
        "GET",
        b'HTTP/1.1 301 Moved Permanently\r\nLocation: http://www.google.com/\r\nContent-Type: text/html; charset=UTF-8\r\nDate: Sun, 26 Apr 2009 11:11:49 GMT\r\nExpires: Tue, 26 May 2009 11:11:49 GMT\r\nX-$PrototypeBI-Version: 1.6.0.3\r\nCache-Control: public, max-age=2592000\r\nServer: gws\r\nContent-Length:  219  \r\n\r\n<HTML><HEAD><meta http-equiv=content-type content=text/html;charset=utf-8>\n<TITLE>301 Moved</TITLE></HEAD><BODY>\n<H1>301 Moved</H1>\nThe document has moved\n<A HREF="http://www.google.com/">here</A>.\r\n</BODY></HTML>',
        Outcome(
            status=301,
            body=b'<HTML><HEAD><meta http-equiv=content-type content=text/html;charset=utf-8>\n<TITLE>301 Moved</TITLE></HEAD><BODY>\n<H1>301 Moved</H1>\nThe document has moved\n<A HREF="http://www.google.com/">here</A>.\r\n</BODY></HTML>',
        ),
    ),
    Vector(
        "sample: amazon.com",
        "GET",
        b'HTTP/1.1 301 MovedPermanently\r\nDate: Wed, 15 May 2013 17:06:33 GMT\r\nServer: Server\r\nx-amz-id-1: 0GPHKXSJQ826RK7GZEB2\r\np3p: policyref="http://www.amazon.com/w3c/p3p.xml",CP="CAO DSP LAW CUR ADM IVAo IVDo CONo OTPo OUR DELi PUBi OTRi BUS PHY ONL UNI PUR FIN COM NAV INT DEM CNT STA HEA PRE LOC GOV OTC "\r\nx-amz-id-2: STN69VZxIFSz9YJLbz1GDbxpbjG6Qjmmq5E3DxRhOUw+Et0p4hr7c/Q8qNcx4oAD\r\nLocation: http://www.amazon.com/Dan-Brown/e/B000AP9DSU/ref=s9_pop_gw_al1?_encoding=UTF8&refinementId=618073011&pf_rd_m=ATVPDKIKX0DER&pf_rd_s=center-2&pf_rd_r=0SHYY5BZXN3KR20BNFAY&pf_rd_t=101&pf_rd_p=1263340922&pf_rd_i=507846\r\nVary: Accept-Encoding,User-Agent\r\nContent-Type: text/html; charset=ISO-8859-1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\n',
        Outcome(status=301, body=b"\n", is_complete=True, keeps=True),
    ),
    Vector(
        "sample: No headers and no body",
        "GET",
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        Outcome(status=404, is_complete=True),
    ),
    Vector("sample: No reason phrase", "GET", b"HTTP/1.1 301\r\n\r\n", Outcome(status=301, is_complete=True)),
    Vector(
        "sample: Empty reason phrase after space",
        "GET",
        b"HTTP/1.1 200 \r\n\r\n",
        Outcome(status=200, is_complete=True),
    ),
    # llhttp refuses it unless it is lenient. RFC 9112 section 2.2 allows it.
    Vector(
        "sample: No carriage ret",
        "GET",
        b"HTTP/1.1 200 OK\nContent-Type: text/html; charset=utf-8\nConnection: close\n\nthese headers are from http://news.ycombinator.com/",
        Outcome(status=200, body=b"these headers are from http://news.ycombinator.com/", is_complete=True),
    ),
    Vector(
        "sample: Underscore in header key",
        "GET",
        b"HTTP/1.1 200 OK\r\nServer: DCLK-AdSvr\r\nContent-Type: text/xml\r\nContent-Length: 0\r\nDCLK_imp: v7;x;114750856;0-0;0;17820020;0/0;21603567/21621457/1;;~okv=;dcmt=text/xml;;~cs=o\r\n\r\n",
        Outcome(status=200, is_complete=True, keeps=True),
    ),
    Vector(
        "sample: bonjourmadame.fr",
        "GET",
        b"HTTP/1.0 301 Moved Permanently\r\nDate: Thu, 03 Jun 2010 09:56:32 GMT\r\nServer: Apache/2.2.3 (Red Hat)\r\nCache-Control: public\r\nPragma: \r\nLocation: http://www.bonjourmadame.fr/\r\nVary: Accept-Encoding\r\nContent-Length: 0\r\nContent-Type: text/html; charset=UTF-8\r\nConnection: keep-alive\r\n\r\n",
        Outcome(status=301, is_complete=True, keeps=True),
    ),
    Vector(
        "sample: Spaces in header value",
        "GET",
        b"HTTP/1.1 200 OK\r\nDate: Tue, 28 Sep 2010 01:14:13 GMT\r\nServer: Apache\r\nCache-Control: no-cache, must-revalidate\r\nExpires: Mon, 26 Jul 1997 05:00:00 GMT\r\n.et-Cookie: PlaxoCS=1274804622353690521; path=/; domain=.plaxo.com\r\nVary: Accept-Encoding\r\n_eep-Alive: timeout=45\r\n_onnection: Keep-Alive\r\nTransfer-Encoding: chunked\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n0\r\n\r\n",
        Outcome(status=200, is_complete=True),
    ),
    # llhttp refuses it. Browsers drop that field, and it decides nothing about the body.
    Vector(
        "sample: Spaces in header name",
        "GET",
        b"HTTP/1.1 200 OK\r\nServer: Microsoft-IIS/6.0\r\nX-Powered-By: ASP.NET\r\nen-US Content-Type: text/xml\r\nContent-Type: text/xml\r\nContent-Length: 16\r\nDate: Fri, 23 Jul 2010 18:45:38 GMT\r\nConnection: keep-alive\r\n\r\n<xml>hello</xml>",
        Outcome(status=200, body=b"<xml>hello</xml>", is_complete=True, keeps=True),
    ),
    Vector(
        "sample: Non ASCII in status line",
        "GET",
        b"HTTP/1.1 500 Ori\xc3\xabntatieprobleem\r\nDate: Fri, 5 Nov 2010 23:07:12 GMT+2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        Outcome(status=500, is_complete=True),
    ),
    # llhttp takes it for HTTP/1.
    Vector("sample: HTTP version 0.9", "GET", b"HTTP/0.9 200 OK\r\n\r\n", Outcome(error="NotHttp")),
    Vector(
        "sample: No Content-Length, no Transfer-Encoding",
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello world",
        Outcome(status=200, body=b"hello world", is_complete=True),
    ),
    Vector(
        "sample: Response starting with CRLF",
        "GET",
        b"\r\nHTTP/1.1 200 OK\r\nHeader1: Value1\r\nHeader2:\t Value2\r\nContent-Length: 0\r\n\r\n",
        Outcome(status=200, is_complete=True, keeps=True),
    ),
    # llhttp refuses it. Some servers pad the size, and no other reader sees another one.
    Vector(
        "transfer-encoding: Trailing space on chunked body",
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n25  \r\nThis is the data in the first chunk\r\n\r\n1C\r\nand this is the second one\r\n\r\n0  \r\n\r\n",
        Outcome(
            status=200,
            body=b"This is the data in the first chunk\r\nand this is the second one\r\n",
            is_complete=True,
            keeps=True,
        ),
    ),
    # llhttp reads up to the end of the connection. The body would be handed over encoded.
    Vector(
        "transfer-encoding: `chunked` before other transfer-encoding",
        "GET",
        b"HTTP/1.1 200 OK\r\nAccept: */*\r\nTransfer-Encoding: chunked, deflate\r\n\r\nWorld",
        Outcome(error="CorruptBody", status=200),
    ),
    # llhttp reads up to the end of the connection.
    Vector(
        "transfer-encoding: multiple transfer-encoding where chunked is not the last one",
        "GET",
        b"HTTP/1.1 200 OK\r\nAccept: */*\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\nWorld",
        Outcome(error="CutOff", status=200),
    ),
    # llhttp reads up to the end of the connection.
    Vector(
        "transfer-encoding: `chunkedchunked` transfer-encoding does not enable chunked enconding",
        "GET",
        b"HTTP/1.1 200 OK\r\nAccept: */*\r\nTransfer-Encoding: chunkedchunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n",
        Outcome(error="CorruptBody", status=200),
    ),
    Vector(
        "transfer-encoding: Chunk extensions",
        "GET",
        b"HTTP/1.1 200 OK\r\nHost: localhost\r\nTransfer-encoding: chunked\r\n\r\n5;ilovew3;somuchlove=aretheseparametersfor\r\nhello\r\n6;blahblah;blah\r\n world\r\n0\r\n\r\n",
        Outcome(status=200, body=b"hello world", is_complete=True, keeps=True),
    ),
    Vector(
        "transfer-encoding: No semicolon before chunk extensions",
        "GET",
        b"HTTP/1.1 200 OK\r\nHost: localhost\r\nTransfer-encoding: chunked\r\n\r\n2 erfrferferf\r\naa\r\n0 rrrr\r\n\r\n",
        Outcome(error="CorruptBody", status=200),
    ),
    # llhttp refuses it. We skip extensions and do not read them.
    Vector(
        "transfer-encoding: No extension after semicolon",
        "GET",
        b"HTTP/1.1 200 OK\r\nHost: localhost\r\nTransfer-encoding: chunked\r\n\r\n2;\r\naa\r\n0\r\n\r\n",
        Outcome(status=200, body=b"aa", is_complete=True, keeps=True),
    ),
    Vector(
        "transfer-encoding: Chunk extensions quoting",
        "GET",
        b'HTTP/1.1 200 OK\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;ilovew3="I love; extensions";somuchlove="aretheseparametersfor";blah;foo=bar\r\nhello\r\n6;blahblah;blah\r\n world\r\n0\r\n',
        Outcome(error="CutOff", status=200, body=b"hello world"),
    ),
    # llhttp refuses it. We skip extensions and do not read them; the end is missing here.
    Vector(
        "transfer-encoding: Unbalanced chunk extensions quoting",
        "GET",
        b'HTTP/1.1 200 OK\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;ilovew3="abc";somuchlove="def; ghi\r\nhello\r\n6;blahblah;blah\r\n world\r\n0\r\n',
        Outcome(error="CutOff", status=200, body=b"hello world"),
    ),
    Vector(
        "transfer-encoding: Invalid OBS fold after chunked value",
        "GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n  abc\r\n\r\n5\r\nWorld\r\n0\r\n\r\n",
        Outcome(error="CorruptBody", status=200),
    ),
)
