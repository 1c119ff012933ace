"""The verdict on a mask: is it better with the changes that the network proposes, with some of them, or as it is?"""
