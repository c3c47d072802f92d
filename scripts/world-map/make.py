#!/usr/bin/env python3
"""Makes stages/report/data/world.csv, the outlines of the countries on the map of the report.

    npm pack world-atlas@2.0.2 && tar xf world-atlas-2.0.2.tgz
    scripts/world-map/make.py package/countries-110m.json > stages/report/data/world.csv

The outlines are those of Natural Earth (public domain) at 1:110 million, as TopoJSON. They are projected with
Equal Earth, which keeps areas: a large country does not look larger than it is. Antarctica is left out. The
numbers of ISO 3166 become the two letters that the records use. Only the standard library is needed.
"""

import json
import math
import sys

WIDTH = 1000  # units of the drawing

ALPHA2 = dict(zip(*[iter("""
004 AF 008 AL 010 AQ 012 DZ 024 AO 031 AZ 032 AR 036 AU 040 AT 044 BS 050 BD 051 AM 056 BE 064 BT 068 BO 070 BA
072 BW 076 BR 084 BZ 090 SB 096 BN 100 BG 104 MM 108 BI 112 BY 116 KH 120 CM 124 CA 140 CF 144 LK 148 TD 152 CL
156 CN 158 TW 170 CO 178 CG 180 CD 188 CR 191 HR 192 CU 196 CY 203 CZ 204 BJ 208 DK 214 DO 218 EC 222 SV 226 GQ
231 ET 232 ER 233 EE 238 FK 242 FJ 246 FI 250 FR 260 TF 262 DJ 266 GA 268 GE 270 GM 275 PS 276 DE 288 GH 300 GR
304 GL 320 GT 324 GN 328 GY 332 HT 340 HN 348 HU 352 IS 356 IN 360 ID 364 IR 368 IQ 372 IE 376 IL 380 IT 384 CI
388 JM 392 JP 398 KZ 400 JO 404 KE 408 KP 410 KR 414 KW 417 KG 418 LA 422 LB 426 LS 428 LV 430 LR 434 LY 440 LT
442 LU 450 MG 454 MW 458 MY 466 ML 478 MR 484 MX 496 MN 498 MD 499 ME 504 MA 508 MZ 512 OM 516 NA 524 NP 528 NL
540 NC 548 VU 554 NZ 558 NI 562 NE 566 NG 578 NO 586 PK 591 PA 598 PG 600 PY 604 PE 608 PH 616 PL 620 PT 624 GW
626 TL 630 PR 634 QA 642 RO 643 RU 646 RW 682 SA 686 SN 688 RS 694 SL 703 SK 704 VN 705 SI 706 SO 710 ZA 716 ZW
724 ES 728 SS 729 SD 732 EH 740 SR 748 SZ 752 SE 756 CH 760 SY 762 TJ 764 TH 768 TG 780 TT 784 AE 788 TN 792 TR
795 TM 800 UG 804 UA 807 MK 818 EG 826 GB 834 TZ 840 US 854 BF 858 UY 860 UZ 862 VE 887 YE 894 ZM
""".split())] * 2))
# what has no number there: Kosovo has a code that is in use, the others are drawn and never counted
NAMED = {"Kosovo": "XK"}

A = (1.340264, -0.081106, 0.000893, 0.003796)


def equal_earth(longitude, latitude):
    """The plane coordinates of a point; x from -2.7066 to 2.7066."""
    theta = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(latitude)))
    t2 = theta * theta
    t6 = t2 * t2 * t2
    scale = A[0] + 3 * A[1] * t2 + t6 * (7 * A[2] + 9 * A[3] * t2)
    x = 2 * math.sqrt(3) * math.radians(longitude) * math.cos(theta) / (3 * scale)
    return x, theta * (A[0] + A[1] * t2 + t6 * (A[2] + A[3] * t2))


def arcs_of(topology):
    """Every arc as longitudes and latitudes."""
    (sx, sy), (tx, ty) = topology["transform"]["scale"], topology["transform"]["translate"]
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * sx + tx, y * sy + ty))
        yield points


def drawn(longitude, latitude):
    """A point of the drawing; y grows downwards."""
    unit = WIDTH / (2 * equal_earth(180, 0)[0])
    x, y = equal_earth(longitude, latitude)
    return round(x * unit + WIDTH / 2), round((equal_earth(0, 84)[1] - y) * unit)


def ring(arcs, indices):
    points = []
    for index in indices:
        part = arcs[index] if index >= 0 else arcs[~index][::-1]
        points += part if not points else part[1:]
    # a ring over the date line continues beyond the edge, not back across the map
    if any(abs(a[0] - b[0]) > 180 for a, b in zip(points, points[1:])):
        points = [(x + 360, y) if x < 0 else (x, y) for x, y in points]
    points = [drawn(*point) for point in points]
    kept = [p for i, p in enumerate(points) if i == 0 or p != points[i - 1]]
    return kept[:-1] if len(kept) > 1 and kept[0] == kept[-1] else kept


def path(points):
    """Relative steps, the shortest notation that SVG reads."""
    (x, y), text = points[0], f"M{points[0][0]} {points[0][1]}l"
    steps = []
    for px, py in points[1:]:
        steps.append(f"{px - x} {py - y}")
        x, y = px, py
    return (text + " ".join(steps)).replace(" -", "-") + "z"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        topology = json.load(file)
    arcs = list(arcs_of(topology))
    lines = []
    for country in topology["objects"]["countries"]["geometries"]:
        name = country["properties"]["name"]
        code = ALPHA2.get(country.get("id"), NAMED.get(name, "--"))
        polygons = country["arcs"] if country["type"] == "MultiPolygon" else [country["arcs"]]
        rings = [ring(arcs, indices) for polygon in polygons for indices in polygon]
        outline = "".join(path(points) for points in rings if len(points) > 2)
        if code != "AQ" and outline:
            lines.append(f"{code},{outline}")
    print("country,outline")
    print("\n".join(sorted(lines)))


if __name__ == "__main__":
    main()
