"""Language codes: whether what a user types (`de`, `deu`, `deu-Latn`) is a language that a task declares (`deu-Latn`).

A task's language is an ISO 639-3 code and an ISO 15924 script, or `python-Code` for a programming language.
"""

from __future__ import annotations

import re

LANGUAGE = re.compile(r"[a-z]{3}-[A-Z][a-z]{3}|[a-z+]+-Code")

# ISO 639-1 -> ISO 639-3. Where that is a macrolanguage, its usual members follow: people say `zh`, data sets `cmn`.
_CODES = """
aa:aar ab:abk ae:ave af:afr ak:aka,twi am:amh an:arg ar:ara,arb as:asm av:ava ay:aym,ayr az:aze,azj ba:bak
be:bel bg:bul bi:bis bm:bam bn:ben bo:bod br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre cs:ces cu:chu cv:chv
cy:cym da:dan de:deu dv:div dz:dzo ee:ewe el:ell en:eng eo:epo es:spa et:est,ekk eu:eus fa:fas,pes ff:ful,fuv
fi:fin fj:fij fo:fao fr:fra fy:fry ga:gle gd:gla gl:glg gn:grn,gug gu:guj gv:glv ha:hau he:heb hi:hin ho:hmo
hr:hrv ht:hat hu:hun hy:hye hz:her ia:ina id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido is:isl it:ita iu:iku ja:jpn
jv:jav ka:kat kg:kon ki:kik kj:kua kk:kaz kl:kal km:khm kn:kan ko:kor kr:kau,knc ks:kas ku:kur,kmr kv:kom kw:cor
ky:kir la:lat lb:ltz lg:lug li:lim ln:lin lo:lao lt:lit lu:lub lv:lav,lvs mg:mlg,plt mh:mah mi:mri mk:mkd ml:mal
mn:mon,khk mr:mar ms:msa,zsm mt:mlt my:mya na:nau nb:nob nd:nde ne:nep,npi ng:ndo nl:nld nn:nno no:nor,nob,nno
nr:nbl nv:nav ny:nya oc:oci oj:oji om:orm,gaz or:ori,ory os:oss pa:pan pi:pli pl:pol ps:pus,pbt pt:por
qu:que,quy rm:roh rn:run ro:ron ru:rus rw:kin sa:san sc:srd sd:snd se:sme sg:sag sh:hbs si:sin sk:slk sl:slv
sm:smo sn:sna so:som sq:sqi,als sr:srp ss:ssw st:sot su:sun sv:swe sw:swa,swh ta:tam te:tel tg:tgk th:tha ti:tir
tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi ty:tah ug:uig uk:ukr ur:urd uz:uzb,uzn ve:ven vi:vie
vo:vol wa:wln wo:wol xh:xho yi:yid,ydd yo:yor za:zha zh:zho,cmn zu:zul
"""
_TWO_LETTERS: dict[str, tuple[str, ...]] = {
    short: tuple(codes.split(",")) for short, codes in (entry.split(":") for entry in _CODES.split())
}
_GROUPS: dict[str, tuple[str, ...]] = {codes[0]: codes for codes in _TWO_LETTERS.values()}


def is_language(name: str) -> bool:
    """Whether `name` is written like a language: a known `de`, any `deu`, `deu-Latn` or `deu_Latn`."""
    return name.lower() in _TWO_LETTERS or bool(re.fullmatch(r"[A-Za-z]{3}", name) or LANGUAGE.fullmatch(_full(name)))


def codes_of(name: str) -> tuple[str, ...]:
    """The ISO 639-3 codes that `name` means: `deu` for `de`, `zho` and `cmn` for `zh`, itself for any other."""
    name = name.lower()
    return _TWO_LETTERS.get(name) or _GROUPS.get(name) or (name,)


def matches(name: str, language: str) -> bool:
    """Whether `name`, as a user types it, means a task's `language` (`deu-Latn`); without a script it means any."""
    if len(name) > 3:
        return _full(name) == language
    return language.partition("-")[0] in codes_of(name)


def _full(name: str) -> str:
    code, _, script = name.replace("_", "-").partition("-")
    return f"{code.lower()}-{script.title()}"
