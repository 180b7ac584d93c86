"""The list of arms: makes and models that are met in the region, as they left the factory.

The list of this project, versioned, and free for everyone: CC0-1.0, no rights reserved
(https://creativecommons.org/publicdomain/zero/1.0/). How it grows: ``docs/decisions/0021``.

A row names a thing as it was made. That it was converted, shortened or printed anew is said
of the thing found (``technical_state``), never here. A make that many factories copied is
no name of one row: "Kalashnikov AKM" tells nothing of where it was made, "Izhmash AKM" does.
"""

from typing import Final, NamedTuple

ARMS_VERSION: Final = 1


class Arm(NamedTuple):
    """A row of the list.

    Attributes:
        kind: A code of ``object_kind``; of ``explosive`` or ``part`` where it is no weapon.
        category: A code of ``category``, nothing where it is no weapon.
        calibre: As made, a code of ``calibre``; nothing where none stands for it.
        country: Of manufacture, ISO 3166-1, XK, or YU SU DD CS; nothing for a printed thing.
        source: Where the row was looked up, or ``memory``: nobody has checked it yet.
        also: Other whole names for it; one that several rows share names none of them.
    """

    code: str
    make: str
    model: str
    kind: str
    category: str
    calibre: str
    country: str
    source: str
    also: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return make and model."""
        return f"{self.make} {self.model}".strip()


ARMS: Final = (
    # Zastava and Yugoslavia
    Arm("zastava-m57", "Zastava", "M57", "firearm", "pistol", "7.62x25", "YU", "memory"),
    Arm("zastava-m67", "Zastava", "M67", "firearm", "pistol", "7.65br", "YU", "memory"),
    Arm("zastava-m70-7-65", "Zastava", "M70 (7,65)",
        "firearm", "pistol", "7.65br", "YU", "memory", ("Zastava M70",)),
    Arm("zastava-m88", "Zastava", "M88", "firearm", "pistol", "9x19", "YU", "memory"),
    Arm("zastava-cz99", "Zastava", "CZ99", "firearm", "pistol", "9x19", "YU", "memory"),
    Arm("zastava-cz999", "Zastava", "CZ999", "firearm", "pistol", "9x19", "RS", "memory"),
    Arm("zastava-ez9", "Zastava", "EZ9", "firearm", "pistol", "9x19", "RS", "memory"),
    Arm("zastava-m48", "Zastava", "M48", "firearm", "rifle", "7.9x57", "YU", "memory"),
    Arm("zastava-m59", "Zastava", "M59",
        "firearm", "carbine", "7.62x39", "YU", "memory", ("Zastava PAP M59",)),
    Arm("zastava-m59-66", "Zastava", "M59/66",
        "firearm", "carbine", "7.62x39", "YU", "memory", ("Zastava PAP M59/66",)),
    Arm("zastava-m70", "Zastava", "M70", "firearm", "assault_rifle", "7.62x39", "YU", "memory"),
    Arm("zastava-m70b1", "Zastava", "M70B1", "firearm", "assault_rifle", "7.62x39", "YU", "memory"),
    Arm("zastava-m70ab1", "Zastava", "M70AB1",
        "firearm", "assault_rifle", "7.62x39", "YU", "memory"),
    Arm("zastava-m70ab2", "Zastava", "M70AB2",
        "firearm", "assault_rifle", "7.62x39", "YU", "aats-shop.ch, Zastava, die AK vom Balkan"),
    Arm("zastava-m72", "Zastava", "M72", "firearm", "light_machine_gun", "7.62x39", "YU", "memory"),
    Arm("zastava-m76", "Zastava", "M76",
        "firearm", "rifle", "7.9x57", "YU", "strzal.pl, Zastava M76"),
    Arm("zastava-m77", "Zastava", "M77", "firearm", "assault_rifle", "7.62x51", "YU", "memory"),
    Arm("zastava-m91", "Zastava", "M91", "firearm", "rifle", "7.62x54r", "RS", "memory"),
    Arm("zastava-m93", "Zastava", "M93", "firearm", "rifle", "12.7x108", "RS", "memory"),
    Arm("zastava-m21", "Zastava", "M21", "firearm", "assault_rifle", "5.56x45", "RS", "memory"),
    Arm("zastava-m85", "Zastava", "M85", "firearm", "carbine", "5.56x45", "YU", "memory"),
    Arm("zastava-m92", "Zastava", "M92", "firearm", "carbine", "7.62x39", "RS", "memory"),
    Arm("zastava-pap-m70", "Zastava", "PAP M70", "firearm", "rifle", "7.62x39", "RS", "memory"),
    Arm("zastava-pap-m85-pv", "Zastava", "PAP M85 PV",
        "firearm", "rifle", "5.56x45", "RS", "memory"),
    Arm("zastava-pap-m92-pv", "Zastava", "PAP M92 PV",
        "firearm", "rifle", "7.62x39", "RS", "memory"),
    Arm("zastava-m61-j-skorpion", "Zastava", "M61(j) Škorpion",
        "firearm", "submachine_gun", "7.65br", "YU", "fr.wikipedia.org, Zastava M61/M84",
        ("Zastava M61(j)", "Zastava M61", "Zastava Škorpion")),
    Arm("zastava-m84-skorpion", "Zastava", "M84 Škorpion",
        "firearm", "submachine_gun", "9x17", "YU", "fr.wikipedia.org, Zastava M61/M84",
        ("Zastava M84", "Zastava Škorpion")),
    Arm("zastava-m84-pk", "Zastava", "M84 (PK)",
        "firearm", "light_machine_gun", "7.62x54r", "YU", "memory", ("Zastava M84",)),
    Arm("zastava-m49", "Zastava", "M49", "firearm", "submachine_gun", "7.62x25", "YU", "memory"),
    Arm("zastava-m56", "Zastava", "M56", "firearm", "submachine_gun", "7.62x25", "YU", "memory"),
    Arm("zastava-m53", "Zastava", "M53", "firearm", "light_machine_gun", "7.9x57", "YU", "memory"),
    Arm("zastava-m87", "Zastava", "M87",
        "firearm", "heavy_machine_gun", "12.7x108", "YU", "memory"),
    # Croatia
    Arm("hs-produkt-hs2000", "HS Produkt", "HS2000",
        "firearm", "pistol", "9x19", "HR", "memory", ("HS Produkt XD",)),
    Arm("hs-produkt-vhs-2", "HS Produkt", "VHS-2",
        "firearm", "assault_rifle", "5.56x45", "HR", "memory"),
    Arm("agram-2000", "Agram", "2000", "firearm", "submachine_gun", "9x19", "HR", "memory"),
    Arm("zagi-m-91", "Zagi", "M-91", "firearm", "submachine_gun", "9x19", "HR", "memory"),
    Arm("sokac-p1", "Šokac", "P1", "firearm", "submachine_gun", "9x19", "HR", "memory"),
    Arm("pleter-m-91", "Pleter", "M-91", "firearm", "submachine_gun", "9x19", "HR", "memory"),
    Arm("arma-ero", "Arma", "ERO", "firearm", "submachine_gun", "9x19", "HR", "memory"),
    # Soviet Union, Russia, Ukraine
    Arm("izhmash-ak", "Izhmash", "AK",
        "firearm", "assault_rifle", "7.62x39", "SU", "memory", ("Izhmash AK-47",)),
    Arm("izhmash-akm", "Izhmash", "AKM", "firearm", "assault_rifle", "7.62x39", "SU", "memory"),
    Arm("izhmash-akms", "Izhmash", "AKMS", "firearm", "assault_rifle", "7.62x39", "SU", "memory"),
    Arm("izhmash-ak-74", "Izhmash", "AK-74", "firearm", "assault_rifle", "5.45x39", "SU", "memory"),
    Arm("izhmash-aks-74", "Izhmash", "AKS-74",
        "firearm", "assault_rifle", "5.45x39", "SU", "memory"),
    Arm("tula-aks-74u", "Tula", "AKS-74U", "firearm", "assault_rifle", "5.45x39", "SU", "memory"),
    Arm("izhmash-svd", "Izhmash", "SVD", "firearm", "rifle", "7.62x54r", "SU", "memory"),
    Arm("tula-sks", "Tula", "SKS", "firearm", "carbine", "7.62x39", "SU", "memory"),
    Arm("tula-tt-33", "Tula", "TT-33", "firearm", "pistol", "7.62x25", "SU", "memory"),
    Arm("tula-nagant-m1895", "Tula", "Nagant M1895",
        "firearm", "revolver", "7.62x38r", "SU", "memory", ("Nagant M1895",)),
    Arm("izhevsk-mosin-nagant-m91-30", "Izhevsk", "Mosin-Nagant M91/30",
        "firearm", "rifle", "7.62x54r", "SU", "memory", ("Mosin-Nagant M91/30",)),
    Arm("baikal-pm", "Baikal", "PM",
        "firearm", "pistol", "9x18", "SU", "memory",
        ("Izhevsk PM", "Baikal Makarov", "Makarov PM")),
    Arm("baikal-aps", "Baikal", "APS",
        "firearm", "pistol", "9x18", "SU", "memory", ("Stechkin APS",)),
    Arm("baikal-izh-27", "Baikal", "IZh-27", "firearm", "shotgun", "12-70", "SU", "memory"),
    Arm("baikal-izh-79-8", "Baikal", "IZh-79-8", "alarm_signal", "pistol", "8pak", "RU", "memory"),
    Arm("molot-rpk", "Molot", "RPK", "firearm", "light_machine_gun", "7.62x39", "SU", "memory"),
    Arm("degtyarev-rpd", "Degtyarev", "RPD",
        "firearm", "light_machine_gun", "7.62x39", "SU", "memory"),
    Arm("degtyarev-pkm", "Degtyarev", "PKM",
        "firearm", "light_machine_gun", "7.62x54r", "SU", "memory"),
    Arm("degtyarev-dshk", "Degtyarev", "DShK",
        "firearm", "heavy_machine_gun", "12.7x108", "SU", "memory"),
    Arm("shpagin-ppsh-41", "Shpagin", "PPSh-41",
        "firearm", "submachine_gun", "7.62x25", "SU", "memory"),
    Arm("sudayev-pps-43", "Sudayev", "PPS-43",
        "firearm", "submachine_gun", "7.62x25", "SU", "memory"),
    Arm("izhmash-saiga-12", "Izhmash", "Saiga-12", "firearm", "shotgun", "12-70", "RU", "memory"),
    Arm("fort-12", "Fort", "12", "firearm", "pistol", "9x18", "UA", "memory"),
    Arm("fort-17", "Fort", "17", "firearm", "pistol", "9x18", "UA", "memory"),
    # Romania, Hungary, Bulgaria, Albania, China
    Arm("cugir-pm-md-63", "Cugir", "PM md. 63",
        "firearm", "assault_rifle", "7.62x39", "RO", "memory"),
    Arm("cugir-pm-md-65", "Cugir", "PM md. 65",
        "firearm", "assault_rifle", "7.62x39", "RO", "memory"),
    Arm("cugir-pm-md-86", "Cugir", "PM md. 86",
        "firearm", "assault_rifle", "5.45x39", "RO", "memory"),
    Arm("cugir-pm-md-90", "Cugir", "PM md. 90",
        "firearm", "assault_rifle", "7.62x39", "RO", "memory"),
    Arm("cugir-psl", "Cugir", "PSL", "firearm", "rifle", "7.62x54r", "RO", "memory"),
    Arm("cugir-wasr-10", "Cugir", "WASR-10", "firearm", "rifle", "7.62x39", "RO", "memory"),
    Arm("cugir-ttc", "Cugir", "TTC", "firearm", "pistol", "7.62x25", "RO", "memory"),
    Arm("cugir-carpati-md-74", "Cugir", "Carpați md. 74",
        "firearm", "pistol", "7.65br", "RO", "memory"),
    Arm("feg-ak-63", "FÉG", "AK-63", "firearm", "assault_rifle", "7.62x39", "HU", "memory"),
    Arm("feg-amd-65", "FÉG", "AMD-65", "firearm", "assault_rifle", "7.62x39", "HU", "memory"),
    Arm("feg-pa-63", "FÉG", "PA-63", "firearm", "pistol", "9x18", "HU", "memory"),
    Arm("feg-48m", "FÉG", "48M",
        "firearm", "pistol", "7.62x25", "HU", "memory", ("FÉG Tokarev 48M",)),
    Arm("arsenal-akk", "Arsenal", "AKK", "firearm", "assault_rifle", "7.62x39", "BG", "memory"),
    Arm("arsenal-ar-m1", "Arsenal", "AR-M1", "firearm", "assault_rifle", "7.62x39", "BG", "memory"),
    Arm("arsenal-pm", "Arsenal", "PM",
        "firearm", "pistol", "9x18", "BG", "memory", ("Arsenal Makarov", "Makarov PM")),
    Arm("arsenal-shipka", "Arsenal", "Shipka", "firearm", "submachine_gun", "9x18", "BG", "memory"),
    Arm("gramsh-ash-72", "Gramsh", "ASh-72", "firearm", "assault_rifle", "7.62x39", "AL", "memory"),
    Arm("gramsh-ash-78", "Gramsh", "ASh-78", "firearm", "assault_rifle", "7.62x39", "AL", "memory"),
    Arm("gramsh-10-korrik", "Gramsh", "10 Korrik", "firearm", "carbine", "7.62x39", "AL", "memory"),
    Arm("norinco-type-56", "Norinco", "Type 56",
        "firearm", "assault_rifle", "7.62x39", "CN", "memory", ("Norinco 56",)),
    Arm("norinco-type-56-carbine", "Norinco", "Type 56 carbine",
        "firearm", "carbine", "7.62x39", "CN", "memory", ("Norinco Type 56",)),
    Arm("norinco-type-54", "Norinco", "Type 54", "firearm", "pistol", "7.62x25", "CN", "memory"),
    # Czechoslovakia, East Germany, Poland
    Arm("cz-vz-58", "CZ", "vz. 58",
        "firearm", "assault_rifle", "7.62x39", "CS", "memory", ("Sa vz. 58",)),
    Arm("cz-vz-61-skorpion", "CZ", "vz. 61 Škorpion",
        "firearm", "submachine_gun", "7.65br", "CS", "memory",
        ("CZ vz. 61", "CZ Škorpion", "Sa vz. 61")),
    Arm("cz-vz-52", "CZ", "vz. 52", "firearm", "pistol", "7.62x25", "CS", "memory"),
    Arm("cz-vz-70", "CZ", "vz. 70", "firearm", "pistol", "7.65br", "CS", "memory"),
    Arm("cz-75", "CZ", "75", "firearm", "pistol", "9x19", "CS", "memory"),
    Arm("cz-82", "CZ", "82", "firearm", "pistol", "9x18", "CS", "memory"),
    Arm("cz-83", "CZ", "83", "firearm", "pistol", "7.65br", "CS", "memory"),
    Arm("zb-vz-26", "ZB", "vz. 26", "firearm", "light_machine_gun", "7.9x57", "CS", "memory"),
    Arm("ernst-thalmann-pm", "Ernst Thälmann", "PM",
        "firearm", "pistol", "9x18", "DD", "memory", ("Ernst Thälmann Makarov", "Makarov PM")),
    Arm("wiesa-mpi-km", "Wiesa", "MPi-KM", "firearm", "assault_rifle", "7.62x39", "DD", "memory"),
    Arm("radom-p-64", "Radom", "P-64", "firearm", "pistol", "9x18", "PL", "memory"),
    Arm("radom-pm-63", "Radom", "PM-63", "firearm", "submachine_gun", "9x18", "PL", "memory"),
    # Others that are often met
    Arm("glock-17", "Glock", "17", "firearm", "pistol", "9x19", "AT", "memory"),
    Arm("glock-19", "Glock", "19", "firearm", "pistol", "9x19", "AT", "memory"),
    Arm("beretta-92", "Beretta", "92",
        "firearm", "pistol", "9x19", "IT", "memory", ("Beretta 92 FS",)),
    Arm("beretta-m1934", "Beretta", "M1934", "firearm", "pistol", "9x17", "IT", "memory"),
    Arm("beretta-70", "Beretta", "70", "firearm", "pistol", "7.65br", "IT", "memory"),
    Arm("beretta-m12", "Beretta", "M12", "firearm", "submachine_gun", "9x19", "IT", "memory"),
    Arm("fn-1910", "FN", "1910",
        "firearm", "pistol", "7.65br", "BE", "memory", ("Browning 1910", "FN Browning 1910")),
    Arm("fn-high-power", "FN", "High Power",
        "firearm", "pistol", "9x19", "BE", "memory",
        ("Browning High Power", "FN Browning High Power")),
    Arm("walther-pp", "Walther", "PP", "firearm", "pistol", "7.65br", "DE", "memory"),
    Arm("walther-ppk", "Walther", "PPK", "firearm", "pistol", "7.65br", "DE", "memory"),
    Arm("walther-p38", "Walther", "P38", "firearm", "pistol", "9x19", "DE", "memory"),
    Arm("mauser-k98k", "Mauser", "K98k", "firearm", "rifle", "7.9x57", "DE", "memory"),
    Arm("erma-mp-40", "Erma", "MP 40", "firearm", "submachine_gun", "9x19", "DE", "memory"),
    Arm("heckler-koch-mp5", "Heckler & Koch", "MP5",
        "firearm", "submachine_gun", "9x19", "DE", "memory", ("HK MP5",)),
    Arm("imi-uzi", "IMI", "Uzi", "firearm", "submachine_gun", "9x19", "IL", "memory"),
    Arm("colt-m1911", "Colt", "M1911", "firearm", "pistol", ".45acp", "US", "memory"),
    Arm("smith-wesson-model-10", "Smith & Wesson", "Model 10",
        "firearm", "revolver", ".38spl", "US", "memory"),
    Arm("sarsilmaz-kilinc-2000", "Sarsılmaz", "Kılınç 2000",  # noqa: RUF001
        "firearm", "pistol", "9x19", "TR", "memory"),
    Arm("canik-tp9", "Canik", "TP9", "firearm", "pistol", "9x19", "TR", "memory"),
    # Launchers
    Arm("sloboda-cacak-m80-zolja", "Sloboda Čačak", "M80 Zolja",
        "firearm", "anti_tank_launcher", "", "YU", "memory", ("Sloboda Čačak M80",)),
    Arm("sloboda-cacak-m79-osa", "Sloboda Čačak", "M79 Osa",
        "firearm", "anti_tank_launcher", "", "YU", "memory", ("Sloboda Čačak M79",)),
    Arm("bazalt-rpg-7", "Bazalt", "RPG-7", "firearm", "anti_tank_launcher", "", "SU", "memory"),
    Arm("bazalt-rpg-18", "Bazalt", "RPG-18", "firearm", "anti_tank_launcher", "", "SU", "memory"),
    Arm("bazalt-rpg-22", "Bazalt", "RPG-22", "firearm", "anti_tank_launcher", "", "SU", "memory"),
    Arm("bazalt-spg-9", "Bazalt", "SPG-9", "firearm", "recoilless", "", "SU", "memory"),
    Arm("kbm-9k32-strela-2", "KBM", "9K32 Strela-2",
        "firearm", "manpads", "", "SU", "memory", ("KBM Strela-2",)),
    Arm("kbm-9k38-igla", "KBM", "9K38 Igla",
        "firearm", "manpads", "", "SU", "memory", ("KBM Igla",)),
    Arm("kbp-gp-25", "KBP", "GP-25", "firearm", "grenade_launcher", "", "SU", "memory"),
    # Alarm and signal weapons
    Arm("ekol-tuna", "Ekol", "Tuna", "alarm_signal", "pistol", "8pak", "TR", "memory"),
    Arm("ekol-lady", "Ekol", "Lady", "alarm_signal", "pistol", "9pak", "TR", "memory"),
    Arm("ekol-volga", "Ekol", "Volga", "alarm_signal", "pistol", "9pak", "TR", "memory"),
    Arm("ekol-special-99", "Ekol", "Special 99", "alarm_signal", "pistol", "9pak", "TR", "memory"),
    Arm("ekol-firat", "Ekol", "Firat", "alarm_signal", "pistol", "9pak", "TR", "memory"),
    Arm("ekol-jackal", "Ekol", "Jackal", "alarm_signal", "pistol", "9pak", "TR", "memory"),
    Arm("ekol-viper", "Ekol", "Viper", "alarm_signal", "revolver", "9rk", "TR", "memory"),
    Arm("zoraki-906", "Zoraki", "906",
        "alarm_signal", "pistol", "9pak", "TR", "memory", ("Atak Zoraki 906",)),
    Arm("zoraki-914", "Zoraki", "914",
        "alarm_signal", "pistol", "9pak", "TR", "memory", ("Atak Zoraki 914",)),
    Arm("zoraki-917", "Zoraki", "917",
        "alarm_signal", "pistol", "9pak", "TR", "memory", ("Atak Zoraki 917",)),
    Arm("zoraki-918", "Zoraki", "918",
        "alarm_signal", "pistol", "9pak", "TR", "memory", ("Atak Zoraki 918",)),
    Arm("zoraki-925", "Zoraki", "925",
        "alarm_signal", "pistol", "9pak", "TR", "memory", ("Atak Zoraki 925",)),
    Arm("zoraki-r1", "Zoraki", "R1",
        "alarm_signal", "revolver", "9rk", "TR", "memory", ("Atak Zoraki R1",)),
    Arm("blow-mini-9", "Blow", "Mini 9", "alarm_signal", "pistol", "9pak", "TR", "memory"),
    Arm("blow-f92", "Blow", "F92", "alarm_signal", "pistol", "9pak", "TR", "memory"),
    Arm("blow-tr-14", "Blow", "TR 14", "alarm_signal", "pistol", "9pak", "TR", "memory"),
    Arm("retay-84-fs", "Retay", "84 FS", "alarm_signal", "pistol", "9pak", "TR", "memory"),
    Arm("retay-mod-92", "Retay", "Mod. 92", "alarm_signal", "pistol", "9pak", "TR", "memory"),
    Arm("retay-g17", "Retay", "G17", "alarm_signal", "pistol", "9pak", "TR", "memory"),
    Arm("retay-pt24", "Retay", "PT24", "alarm_signal", "pistol", "9pak", "TR", "memory"),
    Arm("kimar-92-auto", "Kimar", "92 Auto", "alarm_signal", "pistol", "8pak", "IT", "memory"),
    Arm("kimar-mod-85", "Kimar", "Mod. 85", "alarm_signal", "pistol", "8pak", "IT", "memory"),
    Arm("bruni-92", "Bruni", "92", "alarm_signal", "pistol", "8pak", "IT", "memory"),
    Arm("bruni-gap", "Bruni", "GAP", "alarm_signal", "pistol", "8pak", "IT", "memory"),
    Arm("umarex-walther-p99", "Umarex", "Walther P99",
        "alarm_signal", "pistol", "9pak", "DE", "memory", ("Walther P99 SV",)),
    Arm("rohm-rg-88", "Röhm", "RG 88", "alarm_signal", "pistol", "9pak", "DE", "memory"),
    Arm("rohm-rg-96", "Röhm", "RG 96", "alarm_signal", "pistol", "9pak", "DE", "memory"),
    # Conversions that are made and sold as models of their own
    Arm("cz-vz-61-flobert", "CZ", "vz. 61 Flobert",
        "firearm", "pistol", "6flobert", "SK", "memory"),
    Arm("cz-vz-58-flobert", "CZ", "vz. 58 Flobert", "firearm", "rifle", "6flobert", "SK", "memory"),
    # Printed weapons and parts: a file has no maker
    Arm("fgc-9", "", "FGC-9", "firearm", "carbine", "9x19", "", "memory"),
    Arm("fgc-9-mkii", "", "FGC-9 MkII", "firearm", "carbine", "9x19", "", "memory"),
    Arm("urutau", "", "Urutau", "firearm", "carbine", "9x19", "", "memory"),
    Arm("liberator", "", "Liberator", "firearm", "single_shot_pistol", "9x17", "", "memory"),
    Arm("songbird", "", "Songbird", "firearm", "single_shot_pistol", ".22lr", "", "memory"),
    Arm("glock-switch", "", "Glock switch", "auto_sear", "", "", "", "memory"),
    Arm("ar-auto-sear", "", "AR auto-sear", "auto_sear", "", "", "", "memory"),
    # Grenades and mines
    Arm("m75", "", "M75", "hand_grenade", "", "", "YU", "memory"),
    Arm("m52", "", "M52", "hand_grenade", "", "", "YU", "memory"),
    Arm("f-1", "", "F-1", "hand_grenade", "", "", "SU", "memory"),
    Arm("rgd-5", "", "RGD-5", "hand_grenade", "", "", "SU", "memory"),
    Arm("rgn", "", "RGN", "hand_grenade", "", "", "SU", "memory"),
    Arm("rkg-3", "", "RKG-3", "hand_grenade", "", "", "SU", "memory"),
    Arm("m60", "", "M60", "rifle_grenade", "", "", "YU", "memory"),
    Arm("pg-7v", "", "PG-7V", "launcher_round", "", "", "SU", "memory"),
    Arm("pma-2", "", "PMA-2", "mine_ap", "", "", "YU", "memory"),
    Arm("pma-3", "", "PMA-3", "mine_ap", "", "", "YU", "memory"),
    Arm("prom-1", "", "PROM-1", "mine_ap", "", "", "YU", "memory"),
    Arm("tma-4", "", "TMA-4", "mine_at", "", "", "YU", "memory"),
    Arm("tmm-1", "", "TMM-1", "mine_at", "", "", "YU", "memory"),
)  # fmt: skip

ARM: Final[dict[str, str]] = {arm.code: str(arm) for arm in ARMS}
