"""A descriptor that a function finds in another module."""

from pyflink.common import Types
from pyflink.datastream.state import MapStateDescriptor

RULES = MapStateDescriptor("rules", Types.STRING(), Types.INT())
