"""What goes along with an export, to be run where none of this is installed.

``verify.py`` needs Python 3.9 and nothing else, ``verify.sh`` a shell, openssl 3, xxd and
sha256sum. They share no line with the rest: that is what makes their verdict worth something.
"""
