"""What `measure`, `calibrate` and `count` share: sub-pixel edges, fitted shapes, markers, boards, uncertainty.

Points are continuous pixels as in `kenpin.contracts.view`: the centre of pixel (row r, column c) is (c + 0.5, r + 0.5).
"""
