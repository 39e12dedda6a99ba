"""What a search needs from the system must be there before the sandbox is locked."""


def test_old_charsets_are_decoded(server):
    """Each worker has its converters: more searches than workers, on connections of their own."""
    text = ("Subject: =?koi8-r?b?8NLJ18XU?=\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\n"
            "\x1b$B4A;z\x1b(B\r\n")
    with server.logged_in("dave@example.org") as raw:
        assert raw.tagged("CREATE searched").startswith("a OK")
        assert raw.tagged(f"APPEND searched {{{len(text)}+}}\r\n{text}").startswith("a OK")
    for _ in range(10):
        with server.logged_in("dave@example.org") as raw:
            raw.tagged("SELECT searched")
            for key, word in (("SUBJECT", "\u041f\u0440\u0438\u0432\u0435\u0442"), ("BODY", "\u6f22\u5b57")):
                octets = word.upper().encode()
                raw.send(b"a SEARCH CHARSET UTF-8 %s {%d+}\r\n%s\r\n" % (key.encode(), len(octets), octets))
                assert raw.until().startswith("a OK")
                assert "* SEARCH 1" in raw.untagged, (key, raw.untagged)
