/*
 * Makes texts again of a batch that Python returned; Collect.java says how a batch is written.
 */
public final class Spread extends org.apache.flink.streaming.api.operators.AbstractStreamOperator
    implements org.apache.flink.streaming.api.operators.OneInputStreamOperator {

  public Spread(
      Object[] references,
      org.apache.flink.streaming.runtime.tasks.StreamTask task,
      org.apache.flink.streaming.api.graph.StreamConfig config,
      org.apache.flink.streaming.api.operators.Output output,
      org.apache.flink.streaming.runtime.tasks.ProcessingTimeService time) {
    this.setup(task, config, output);
    this.processingTimeService = time;
  }

  public void processElement(org.apache.flink.streaming.runtime.streamrecord.StreamRecord element) throws Exception {
    byte[] all = (byte[]) element.getValue();
    if (all[0] == 0) {
      int begin = 1;
      for (int i = 1; i < all.length; i++) {
        if (all[i] == '\n') {
          emit(element, all, begin, i - begin);
          begin = i + 1;
        }
      }
      emit(element, all, begin, all.length - begin);
    } else {
      java.nio.ByteBuffer head = java.nio.ByteBuffer.wrap(all, 1, all.length - 1);
      int count = head.getInt();
      int begin = 4 * count + 5;
      for (int i = 0; i < count; i++) {
        int length = head.getInt();
        emit(element, all, begin, length);
        begin += length;
      }
    }
  }

  private void emit(org.apache.flink.streaming.runtime.streamrecord.StreamRecord element, byte[] all, int begin, int length) throws Exception {
    output.collect(element.replace(new String(all, 0, begin, length)));
  }
}
