"""Non-linear functions of integer transformers as their authors published them, each in plain whole numbers.

`ibert` has the polynomials of I-BERT, `shift` the shifts of I-ViT, `swifttron` the units of SwiftTron's hardware, its
wrap-around included. They decide nothing here: what a network computes is in `reference.py`; these are what it is
compared with.
"""
